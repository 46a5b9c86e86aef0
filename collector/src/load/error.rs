//! Why the programs could not be brought into the kernel.

use std::{error::Error as _, io};

use aya::{
    EbpfError,
    maps::MapError,
    programs::{ProgramError, links::LinkError},
};

use super::{Capability, VMLINUX, btf::BtfError, privilege::advice};

/// Why the programs could not be brought into the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The build has no kernel object.
    #[error("this binary was built without its kernel programs; build it with: cargo xtask build")]
    NoObject,
    /// The process may not load programs.
    #[error("not privileged: the process lacks {}; {}", names(.missing), advice(.missing))]
    NotPrivileged {
        /// The capabilities that are not there.
        missing: Vec<Capability>,
    },
    /// The kernel tells no types.
    #[error("cannot read {VMLINUX}; it takes Linux 5.8 or newer, built with CONFIG_DEBUG_INFO_BTF")]
    NoBtf(#[source] io::Error),
    /// The types cannot be understood.
    #[error("cannot read the kernel's types in {VMLINUX}")]
    BadBtf(#[from] BtfError),
    /// aya cannot understand the types.
    #[error("cannot read the kernel's types in {VMLINUX}")]
    AyaBtf(#[from] aya::BtfError),
    /// Structures lack fields that nothing works without.
    #[error("this kernel's types have no {}", .fields.join(", "))]
    NoFields {
        /// Paths of the fields.
        fields: Vec<&'static str>,
    },
    /// The number of CPUs is not known.
    #[error("cannot read {file}")]
    Cpus {
        /// The file that tells it.
        file: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The object was refused before any program was loaded.
    #[error("cannot create the maps of the kernel programs")]
    Maps(#[from] EbpfError),
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
        source: MapError,
    },
    /// The object lacks a program.
    #[error("the kernel object has no program {program}")]
    NoProgram {
        /// Its name.
        program: &'static str,
    },
    /// A program was refused.
    #[error("the kernel refused {hook}")]
    Program {
        /// Its hook.
        hook: &'static str,
        /// The kernel's words, with the verifier's log.
        source: Box<ProgramError>,
    },
    /// The hooks for connections have nothing to be attached to.
    #[error(
        "no cgroup v2 is mounted; mount one: mkdir -p /run/cgroup2 && mount -t cgroup2 none /run/cgroup2"
    )]
    NoCgroup,
    /// The cgroup v2 root cannot be opened.
    #[error("cannot open the cgroup v2 root: {reason}")]
    Cgroup {
        /// What the kernel said of it.
        reason: String,
    },
    /// A rule names a cgroup that is not there.
    #[error(
        "no cgroup has the id {id}, which a filter names; the id is the inode number of its directory: ls -di DIRECTORY"
    )]
    NoCgroupId {
        /// The id.
        id: u64,
    },
    /// What the kernel says of the programs cannot be kept at hand.
    #[error("cannot keep the descriptors of the programs")]
    Misses {
        /// Why not.
        source: Box<ProgramError>,
    },
    /// The task iterator cannot be opened.
    #[error("cannot open the task iterator")]
    Iterator(#[from] LinkError),
    /// The task iterator cannot be run.
    #[error("cannot read the task iterator")]
    Scan(#[source] io::Error),
}

impl LoadError {
    /// Whether it is for want of privilege, and not of the kernel.
    #[must_use]
    pub fn is_privilege(&self) -> bool {
        matches!(self, Self::NotPrivileged { .. })
    }

    /// Whether it is for what was asked for, and neither for the kernel nor for privilege.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::NoCgroupId { .. })
    }

    /// What is wrong and why in one line: the messages of all causes, with no more of the verifier's log than its end.
    #[must_use]
    pub fn brief(&self) -> String {
        let mut brief = without_log(&self.to_string());
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = without_log(&error.to_string());
            // aya's messages often hold those of their causes.
            if !brief.contains(&message) {
                brief = format!("{brief}: {message}");
            }
            cause = error.source();
        }
        brief
    }
}

/// Where aya's messages go over to the verifier's log.
const LOG: &str = "Verifier output:";
/// Lines of it that are kept: the complaint stands in the last one or two.
const LOG_LINES: usize = 3;
/// Beginnings of lines that hold figures and no complaint.
const FIGURES: [&str; 3] = ["processed ", "verification time ", "stack depth "];

/// The message with the verifier's log cut to its last lines that tell something, in one line.
fn without_log(message: &str) -> String {
    let (message, log) = message.split_once(LOG).unwrap_or((message, ""));
    let tells = |line: &&str| !line.is_empty() && !FIGURES.iter().any(|figures| line.starts_with(figures));
    let lines: Vec<&str> = log.lines().map(str::trim).filter(tells).collect();
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
        LoadError::Program { hook: "tp_btf/sched_process_exec", source: Box::new(source) }
    }

    #[test]
    fn of_the_verifiers_log_only_its_end_is_kept_and_no_cause_is_told_twice() {
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
    fn an_empty_log_is_not_announced() {
        assert!(refused("").brief().ends_with("returned Permission denied (os error 13)"));
    }

    #[test]
    fn causes_follow_their_error() {
        let error = LoadError::Scan(io::Error::from_raw_os_error(libc::EPERM));
        assert_eq!(error.brief(), "cannot read the task iterator: Operation not permitted (os error 1)");
    }
}
