//! The machines that are emulated.

use std::env;
use std::fmt;

use super::series::Series;

/// A machine's architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "aarch64")]
    Aarch64,
}

impl Arch {
    /// As Debian names it.
    pub(super) fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// As Rust and QEMU name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// As rustc names its target.
    pub(super) fn target(self) -> String {
        format!("{}-unknown-linux-gnu", self.name())
    }

    /// As the C compiler and the folders of libraries are named.
    pub(super) fn gnu(self) -> String {
        format!("{}-linux-gnu", self.name())
    }

    /// Whether it is that of this machine, so that what is built here runs there.
    pub(super) fn is_here(self) -> bool {
        self.name() == env::consts::ARCH
    }

    /// A series of this machine's kernels, as it is named beside those of others.
    pub(super) fn kernel(self, series: &Series) -> String {
        match self {
            Self::X86_64 => series.to_string(),
            Self::Aarch64 => format!("{series} {self}"),
        }
    }

    /// The series that are tested where none is named: all on the machine that most have, and one on another.
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
