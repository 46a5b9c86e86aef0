//! Why the programs could not be loaded or attached.

use std::{error::Error, io};

use super::{
    btf::BtfError,
    privilege::{Capability, advice},
    vmlinux::VMLINUX,
};

/// The cause of a [`LoadError`], from the library that loads the programs. Its type is not part of this crate's API.
pub type LoadCause = Box<dyn Error + Send + Sync>;

/// Why the programs could not be loaded or attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The build has no kernel object.
    #[error("this binary was built without its kernel programs; build it with: cargo xtask build")]
    NoObject,
    /// The process may not load programs.
    #[error("not privileged: the process lacks {}; {}", names(.missing), advice(.missing))]
    NotPrivileged {
        /// The capabilities that it lacks.
        missing: Vec<Capability>,
    },
    /// The kernel does not publish its types.
    #[error("cannot read {VMLINUX}; it takes Linux 5.8 or newer, built with CONFIG_DEBUG_INFO_BTF")]
    NoBtf(#[source] io::Error),
    /// The kernel's types cannot be understood.
    #[error("cannot read the kernel's types in {VMLINUX}")]
    BadBtf(#[from] BtfError),
    /// The library that loads the programs cannot understand the kernel's types.
    #[error("cannot read the kernel's types in {VMLINUX}")]
    UnloadableBtf(#[source] LoadCause),
    /// Structures lack fields that the agent cannot do without.
    #[error("this kernel's types have no {}", .fields.join(", "))]
    NoFields {
        /// Paths of the fields.
        fields: Vec<&'static str>,
    },
    /// The number of CPUs cannot be read.
    #[error("cannot read {file}")]
    Cpus {
        /// The file that has it.
        file: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The object was refused before any program was loaded.
    #[error("cannot create the maps of the kernel programs")]
    Maps(#[source] LoadCause),
    /// The object lacks a map.
    #[error("the kernel object has no map {map}")]
    NoMap {
        /// Its name.
        map: &'static str,
    },
    /// A map cannot be used.
    #[error("cannot use map {map}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why not.
        source: LoadCause,
    },
    /// The object lacks a program.
    #[error("the kernel object has no program {program}")]
    NoProgram {
        /// Its name.
        program: &'static str,
    },
    /// The kernel refused a program.
    #[error("the kernel refused {hook}")]
    Program {
        /// Its hook.
        hook: &'static str,
        /// The kernel's words, with the verifier's log.
        source: LoadCause,
    },
    /// There is no cgroup to attach the hooks for connections to.
    #[error(
        "no cgroup v2 is mounted; mount one: mkdir -p /run/cgroup2 && mount -t cgroup2 none /run/cgroup2"
    )]
    NoCgroup,
    /// The root of cgroup v2 cannot be opened.
    #[error("cannot open the cgroup v2 root: {reason}")]
    Cgroup {
        /// Why not.
        reason: String,
    },
    /// A rule names a cgroup that does not exist.
    #[error(
        "no cgroup has the id {id}, which a filter names; the id is the inode number of its directory: ls -di DIRECTORY"
    )]
    NoCgroupId {
        /// The id.
        id: u64,
    },
    /// The descriptors of the programs, which have the kernel's counts, cannot be kept.
    #[error("cannot keep the descriptors of the programs")]
    Misses {
        /// Why not.
        source: LoadCause,
    },
    /// The task iterator cannot be opened.
    #[error("cannot open the task iterator")]
    Iterator(#[source] LoadCause),
    /// The task iterator cannot be run.
    #[error("cannot read the task iterator")]
    Scan(#[source] io::Error),
}

impl LoadError {
    /// Whether the process lacks a privilege.
    #[must_use]
    pub fn is_privilege(&self) -> bool {
        matches!(self, Self::NotPrivileged { .. })
    }

    /// Whether the configuration names something that does not exist.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::NoCgroupId { .. })
    }

    /// The messages of the error and all its causes in one line, with only the end of the verifier's log.
    #[must_use]
    pub fn brief(&self) -> String {
        let mut brief = without_log(&self.to_string());
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = without_log(&error.to_string());
            // aya's messages often include those of their causes.
            if !brief.contains(&message) {
                brief = format!("{brief}: {message}");
            }
            cause = error.source();
        }
        brief
    }

    pub(super) fn unloadable_btf(source: impl Into<LoadCause>) -> Self {
        Self::UnloadableBtf(source.into())
    }

    pub(super) fn maps(source: impl Into<LoadCause>) -> Self {
        Self::Maps(source.into())
    }

    pub(super) fn map(map: &'static str, source: impl Into<LoadCause>) -> Self {
        Self::Map { map, source: source.into() }
    }

    pub(super) fn program(hook: &'static str, source: impl Into<LoadCause>) -> Self {
        Self::Program { hook, source: source.into() }
    }

    pub(super) fn misses(source: impl Into<LoadCause>) -> Self {
        Self::Misses { source: source.into() }
    }

    pub(super) fn iterator(source: impl Into<LoadCause>) -> Self {
        Self::Iterator(source.into())
    }
}

/// Where the verifier's log begins in aya's messages.
const LOG: &str = "Verifier output:";
/// Lines of the log to keep: the complaint is in the last one or two.
const LOG_LINES: usize = 3;
/// Beginnings of lines that have figures and no complaint.
const FIGURES: [&str; 3] = ["processed ", "verification time ", "stack depth "];

/// The message in one line, with the verifier's log cut to its last meaningful lines.
fn without_log(message: &str) -> String {
    let (message, log) = message.split_once(LOG).unwrap_or((message, ""));
    let is_complaint =
        |line: &&str| !line.is_empty() && !FIGURES.iter().any(|figures| line.starts_with(figures));
    let lines: Vec<&str> = log.lines().map(str::trim).filter(is_complaint).collect();
    let end = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("; ");
    let message = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let message = message.trim_end_matches('.');
    if end.is_empty() { message.to_owned() } else { format!("{message}; the verifier: {end}") }
}

fn names(capabilities: &[Capability]) -> String {
    capabilities.iter().map(|capability| capability.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use aya::programs::ProgramError;
    use aya_obj::VerifierLog;

    use super::LoadError;

    fn refused(log: &str) -> LoadError {
        let io_error = io::Error::from_raw_os_error(libc::EACCES);
        let source = ProgramError::LoadError { io_error, verifier_log: VerifierLog::new(log.to_owned()) };
        LoadError::program("tp_btf/sched_process_exec", source)
    }

    #[test]
    fn a_brief_error_has_the_end_of_the_verifiers_log_and_each_cause_once() {
        let log = "func#0 @0\n0: R1=ctx() R10=fp0\n1: (79) r6 = *(u64 *)(r1 +0)\n2: (85) call unknown#195896080\n\
                   unknown func bpf_probe_read_kernel#113\nverification time 41 usec\nstack depth 0\n\
                   processed 3 insns (limit 1000000) max_states_per_insn 0\n\n";
        assert_eq!(
            refused(log).brief(),
            "the kernel refused tp_btf/sched_process_exec: the BPF_PROG_LOAD syscall returned Permission denied (os \
             error 13); the verifier: 1: (79) r6 = *(u64 *)(r1 +0); 2: (85) call unknown#195896080; unknown func \
             bpf_probe_read_kernel#113"
        );
    }

    #[test]
    fn a_brief_error_does_not_announce_an_empty_log() {
        assert!(refused("").brief().ends_with("returned Permission denied (os error 13)"));
    }

    #[test]
    fn a_brief_error_has_its_causes_behind_it() {
        let error = LoadError::Scan(io::Error::from_raw_os_error(libc::EPERM));
        assert_eq!(error.brief(), "cannot read the task iterator: Operation not permitted (os error 1)");
    }
}
