//! `collector inspect`: everything about one live process, once, for people and for machines.
//!
//! The fields that the stream has as well come from the enricher, so both describe a process in the same way. This room reads
//! the rest: memory, descriptors, sockets. Everything is read through one process handle, which never answers for another
//! process. `capture.missing` has the reason for what could not be read, as on the stream.

mod descriptors;
mod file;
mod host_names;
mod missing;
mod model;
mod page;
mod resources;
mod sock_diag;
mod sockets;
mod status;
mod text;

use std::{collections::BTreeSet, sync::Arc};

use self::{
    file::lossy,
    missing::{note_missing, or_missing},
};
use crate::{
    clock::{WallClock, boottime_ns},
    config::Config,
    describe::Cgroups,
    digest,
    enrich::{Draft, Enricher},
    event::{Action, Process},
    load,
    machine::Machine,
    procfs::{OpenProcError, Proc, ProcLink, ProcessDir, ReadError},
};

pub use self::model::{
    CapabilitySets, Cpu, Descriptor, Dump, End, Inspection, Io, Kind, Limit, Mapping, Memory, Rollup, SCHEMA,
    Signals, Socket, Sockets, State, Status, Thread,
};

/// Options of an inspection.
#[derive(Clone, Copy, Debug, Default)]
pub struct InspectOptions {
    /// Whether to look up the host names of remote addresses. This machine's resolver may go to the network.
    pub resolve: bool,
}

/// Why there is no inspection.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// /proc cannot be opened.
    #[error(transparent)]
    Proc(#[from] OpenProcError),
    /// No process has this id.
    #[error("there is no process {pid}; it may have ended")]
    NoProcess {
        /// The id.
        pid: u32,
    },
    /// The id is that of a thread.
    #[error("{tid} is a thread of process {pid}; use: collector inspect {pid}")]
    Thread {
        /// The id of the thread.
        tid: u32,
        /// The process that it belongs to.
        pid: u32,
    },
    /// /proc cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Everything about the process that has this id now.
pub fn inspect(pid: u32, options: InspectOptions) -> Result<Inspection, InspectError> {
    let proc = Arc::new(Proc::live()?);
    let process = open(&proc, pid)?;
    let draft = snapshot(&proc, &process)?;
    let mut inspection = with_process(draft, &proc);
    let was_zombie = status::is_zombie(&process);
    status::add(&mut inspection, &process);
    resources::add(&mut inspection, &process);
    descriptors::add(&mut inspection, &process);
    sockets::add(&mut inspection, &process);
    if options.resolve {
        host_names::add(&mut inspection);
    }
    add_root(&mut inspection, &process);
    let ended = process.is_alive().is_ok_and(|alive| !alive);
    inspection.vanished = ended && !was_zombie;
    Ok(inspection)
}

/// The JSON Schema of what `--format json` writes.
#[must_use]
pub fn json_schema() -> schemars::Schema {
    crate::event::schema_of::<Inspection>()
}

fn open(proc: &Proc, pid: u32) -> Result<ProcessDir, InspectError> {
    let gone = |error| match error {
        ReadError::Exited { .. } => InspectError::NoProcess { pid },
        error => InspectError::Read(error),
    };
    let process = proc.process(pid, None).map_err(gone)?;
    let leader = process.group().map_err(gone)?;
    if leader == pid { Ok(process) } else { Err(InspectError::Thread { tid: pid, pid: leader }) }
}

/// The same event as a snapshot on the stream.
fn snapshot(proc: &Arc<Proc>, process: &ProcessDir) -> Result<Draft, InspectError> {
    let mount = load::find_cgroup2();
    let machine = Machine::this(proc, mount.as_ref().is_some_and(load::CgroupMount::is_mixed_with_v1));
    let cgroups = mount.and_then(|mount| Cgroups::new(mount.path()).ok());
    let mut options = crate::options::enrich(&Config::default());
    options.actions = BTreeSet::from([Action::Snapshot]);
    let mut enricher = Enricher::new(machine, proc.clone(), cgroups, options);
    let pid = process.tgid();
    enricher.running(process).map_err(|_| InspectError::NoProcess { pid })
}

fn with_process(draft: Draft, proc: &Proc) -> Inspection {
    let Draft { event, digest, .. } = draft;
    let mut capture = event.capture;
    let mut process: Box<Process> = event.process.unwrap_or_default();
    if let Some(request) = digest {
        match digest::compute(request, digest::DigestLimits::default(), proc) {
            Ok(digest) => {
                process.hash = Some(digest.hashes);
                process.hash_source = Some(digest.source);
            }
            Err(reason) => note_missing(&mut capture, "process.hash", reason),
        }
    }
    Inspection {
        timestamp: WallClock::now().wall(boottime_ns()),
        schema: SCHEMA.into(),
        vanished: false,
        process,
        container: event.container,
        status: None,
        cpu: None,
        memory: None,
        io: None,
        limits: None,
        threads: None,
        kernel_stack: None,
        mappings: None,
        descriptors: None,
        sockets: None,
        root: None,
        capture,
    }
}

fn add_root(inspection: &mut Inspection, process: &ProcessDir) {
    let root = process.link(ProcLink::Root);
    if let Some(root) = or_missing(inspection, "root", root) {
        inspection.root = (root != b"/").then(|| lossy(&root));
    }
}
