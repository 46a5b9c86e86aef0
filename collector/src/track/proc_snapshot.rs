//! The processes that /proc lists at one moment.

use std::collections::HashMap;

use crate::{
    process::{KernelTimeNs, ProcessKey, Tgid},
    procfs::{Proc, ProcFile, ProcLink, StartTicks, Stat},
};

/// Most bytes of stat that are read.
const STAT_MAX: usize = 4096;

/// The processes that /proc listed at one moment. Zombies are left out.
#[derive(Debug)]
pub struct ProcSnapshot {
    pub(super) began: KernelTimeNs,
    processes: HashMap<Tgid, Listed>,
}

/// A process in the list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) start: StartTicks,
    pub(super) parent: Tgid,
    /// Path of the image, if it could be read.
    pub(super) exe: Option<Vec<u8>>,
}

impl ProcSnapshot {
    /// Takes it; `began` is now. Takes some ten microseconds for each process, so it must not run on the thread that reads
    /// the records. `None` if /proc cannot be listed.
    #[must_use]
    pub fn take(proc: &Proc, began: KernelTimeNs) -> Option<Self> {
        let tgids = proc.tgids().ok()?;
        let processes = tgids.into_iter().filter_map(|tgid| Some((Tgid(tgid), listed(proc, tgid)?)));
        Some(Self { began, processes: processes.collect() })
    }

    /// The process with this key, if it was listed.
    pub(super) fn get(&self, key: ProcessKey) -> Option<&Listed> {
        self.with_id(key.tgid).filter(|listed| listed.start == key.start.to_ticks())
    }

    /// The process that had this id.
    pub(super) fn with_id(&self, tgid: Tgid) -> Option<&Listed> {
        self.processes.get(&tgid)
    }
}

/// `None` for a process that is gone, or a zombie.
fn listed(proc: &Proc, tgid: u32) -> Option<Listed> {
    let process = proc.process(tgid, None).ok()?;
    let mut bytes = Vec::new();
    process.read_into(ProcFile::Stat, &mut bytes, STAT_MAX).ok()?;
    let stat = Stat::parse(&bytes).filter(|stat| !stat.is_dead())?;
    Some(Listed { start: stat.starttime, parent: Tgid(stat.ppid), exe: process.link(ProcLink::Exe).ok() })
}
