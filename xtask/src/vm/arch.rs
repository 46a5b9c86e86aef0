//! The architectures of guests.

use std::env;
use std::fmt;

use super::series::Series;

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "aarch64")]
    Aarch64,
}

impl Arch {
    /// Its name in Debian.
    pub(super) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Its name in Rust and QEMU.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The target of rustc.
    pub(super) fn target(self) -> String {
        format!("{}-unknown-linux-gnu", self.name())
    }

    /// The prefix of the C compiler and of library folders.
    pub(super) fn gnu(self) -> String {
        format!("{}-linux-gnu", self.name())
    }

    /// Whether it is this machine's, so that programs built here run there.
    pub(super) fn is_here(self) -> bool {
        self.name() == env::consts::ARCH
    }

    /// The name of a kernel series in tables that have several architectures.
    pub(super) fn kernel(self, series: &Series) -> String {
        match self {
            Self::X86_64 => series.to_string(),
            Self::Aarch64 => format!("{series} {self}"),
        }
    }

    /// The default series: all on `x86_64`, and one on other architectures.
    pub(super) fn series(self) -> Vec<Series> {
        let numbered = |number: &str| Series::Numbered(number.to_owned());
        match self {
            Self::X86_64 => {
                vec![numbered("5.10"), numbered("6.1"), numbered("6.12"), Series::Latest]
            }
            Self::Aarch64 => vec![numbered("6.12")],
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
