//! The kernel series that are tested, and the newest package of each.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

/// A kernel series: `6.12`, or the newest of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Series {
    Numbered(String),
    Latest,
}

impl FromStr for Series {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        match word.split_once('.') {
            _ if word == "latest" => Ok(Self::Latest),
            Some((major, minor)) if is_number(major) && is_number(minor) => {
                Ok(Self::Numbered(word.to_owned()))
            }
            _ => bail!("a series of kernels is MAJOR.MINOR or `latest`"),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbered(number) => f.write_str(number),
            Self::Latest => f.write_str("latest"),
        }
    }
}

/// The newest release of a series among packages, as `uname -r` prints it: `6.1.0-56-cloud-amd64` for
/// `linux-image-6.1.0-56-cloud-amd64`. `flavour` is its end.
pub(super) fn newest<'a>(
    packages: impl IntoIterator<Item = &'a str>,
    series: &Series,
    flavour: &str,
) -> Option<&'a str> {
    let releases = packages.into_iter().filter_map(|package| package.strip_prefix("linux-image-"));
    releases
        .filter(|release| release.ends_with(&format!("-{flavour}")) && is_of(release, series))
        .max_by(|one, other| compare(one, other))
}

/// A meta package such as `linux-image-6.1-cloud-amd64` is not a release.
fn is_of(release: &str, series: &Series) -> bool {
    let numbers: Vec<&str> = release.split(['.', '-', '+']).take(3).collect();
    let [major, minor, patch] = numbers[..] else { return false };
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_release = [major, minor, patch].iter().all(is_number);
    match series {
        Series::Numbered(number) => is_release && *number == format!("{major}.{minor}"),
        Series::Latest => is_release,
    }
}

/// The numbers of a release, for comparing.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |release: &str| -> Vec<u64> {
        release
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    numbers(one).cmp(&numbers(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Debian's lists in November 2026.
    const PACKAGES: [&str; 9] = [
        "linux-image-5.10.0-46-cloud-amd64",
        "linux-image-6.1-cloud-amd64",
        "linux-image-6.1.0-0.deb11.52-cloud-amd64",
        "linux-image-6.1.0-9-cloud-amd64",
        "linux-image-6.1.0-56-cloud-amd64",
        "linux-image-6.1.0-57-amd64",
        "linux-image-6.12.95+deb12-cloud-amd64",
        "linux-image-6.12.117+deb12-cloud-amd64",
        "linux-image-7.3.4+deb13-cloud-amd64",
    ];

    #[track_caller]
    fn check(series: &str, release: Option<&str>) {
        let series = series.parse().unwrap();
        assert_eq!(newest(PACKAGES, &series, "cloud-amd64"), release);
    }

    #[test]
    fn releases_are_compared_by_number_and_not_by_letter() {
        check("6.1", Some("6.1.0-56-cloud-amd64"));
        check("6.12", Some("6.12.117+deb12-cloud-amd64"));
        check("5.10", Some("5.10.0-46-cloud-amd64"));
    }

    #[test]
    fn latest_is_the_newest_of_all() {
        check("latest", Some("7.3.4+deb13-cloud-amd64"));
    }

    #[test]
    fn a_series_without_packages_has_no_newest_release() {
        check("5.15", None);
        check("6.11", None);
    }

    #[test]
    fn a_series_has_two_numbers() {
        for word in ["6", "6.1.2", "6.", ".1", "newest", ""] {
            assert!(word.parse::<Series>().is_err(), "{word}");
        }
        assert_eq!("latest".parse::<Series>().unwrap().to_string(), "latest");
    }
}
