//! Whether the kernel refuses to open a file for writing while it runs (`ETXTBSY`).

use std::{fs, io};

/// The answer for the running kernel: a process that runs a file proves the file's bytes only where it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextBusy(pub(super) bool);

impl TextBusy {
    /// Asks this kernel.
    pub(super) fn here() -> Self {
        // A release that cannot be read is not one of the two exceptions.
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self(Self::is_enforced(&release))
    }

    /// All kernels refuse but Linux 6.11 and some of 6.12: commit 2a010c412853 let writers in, 3b832035387f refused them again.
    fn is_enforced(release: &str) -> bool {
        let mut numbers = release.split(['.', '-']);
        let (major, minor) = (numbers.next(), numbers.next());
        if !(major == Some("6") && matches!(minor, Some("11" | "12"))) {
            return true;
        }
        // The agent runs, so its own file shows it. Where writing is refused for another reason, the answer stays unknown.
        let own = fs::File::options().write(true).open("/proc/self/exe");
        own.is_err_and(|error| error.kind() == io::ErrorKind::ExecutableFileBusy)
    }
}

#[cfg(test)]
mod tests {
    use super::TextBusy;

    #[test]
    fn a_running_file_cannot_be_written_before_6_11_and_after_6_12() {
        for release in ["5.10.0-41-amd64\n", "6.1.0\n", "6.18.44\n", "16.11.1\n"] {
            assert!(TextBusy::is_enforced(release), "{release}");
        }
    }
}
