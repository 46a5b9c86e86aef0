//! Processes that run since before the agent and that neither a record nor the start-up scan reported: the kernel has no
//! iterators, or it hides some processes from them.

use std::{collections::HashSet, rc::Rc};

use super::{process::TrackedProcess, tracker::Tracker};
use crate::{
    fact::Reason,
    process::{KernelTimeNs, ProcessKey, Tgid},
    procfs::ProcessDir,
};

impl Tracker {
    /// Process ids in /proc that no record reported.
    pub(crate) fn unreported_ids(&self) -> Vec<Tgid> {
        let reported = self.table.running().filter(|(_, process)| !process.is_adopted());
        let reported: HashSet<Tgid> = reported.map(|(key, _)| key.tgid).collect();
        let tgids = self.proc.tgids().unwrap_or_default().into_iter().map(Tgid);
        tgids.filter(|tgid| !reported.contains(tgid)).collect()
    }

    /// The process with this id, if it began before the agent.
    ///
    /// A later one is left to the scan's records or to its fork record, which is still in the ring: they have the start to
    /// the nanosecond, and with the tick-precise start of /proc it would become a second process. A process that began before
    /// the agent has no fork record to come, because the hooks were attached long after its fork was over.
    pub(crate) fn adopt_unreported(&mut self, tgid: Tgid) -> Option<Rc<TrackedProcess>> {
        let process = self.proc.process(tgid.0, None).ok()?;
        if process.start() >= KernelTimeNs(self.machine.started_ns).to_ticks() {
            return None;
        }
        if !process.leads_its_group().ok()? || !process.is_alive().ok()? {
            return None;
        }
        let to_the_tick = ProcessKey { tgid, start: KernelTimeNs::from_ticks(process.start()) };
        if self.table.ended_in_tick(to_the_tick) {
            // Its exit record comes a moment before /proc shows a zombie.
            return None;
        }
        // A child's record may have its start to the nanosecond, which /proc has not.
        let adopted = self.table.running().find(|(key, _)| key.tgid == tgid).map(|(key, _)| key.start);
        let exact = adopted.or_else(|| self.table.start_of_absent(tgid));
        let exact = exact.filter(|start| start.to_ticks() == process.start());
        self.adopt(ProcessKey { tgid, start: exact.unwrap_or(to_the_tick.start) }).ok()
    }

    /// One process as /proc shows it now, for a caller that reads no records. A zombie or a kernel task has gaps.
    pub(crate) fn adopt_running(&mut self, process: &ProcessDir) -> Result<Rc<TrackedProcess>, Reason> {
        let start = KernelTimeNs::from_ticks(process.start());
        self.adopt(ProcessKey { tgid: Tgid(process.tgid()), start })
    }
}
