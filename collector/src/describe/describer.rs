//! Makes the process and the container of an event.

use std::{sync::Arc, time::Instant};

use super::{
    cgroup::Cgroups,
    credentials::{CredentialNames, View},
    interner::Interner,
    membership::Memberships,
    notes::Notes,
    process::ProcessWriter,
};
use crate::{
    event::{self, Event},
    machine::Machine,
    procfs::Proc,
    track::{Subject, is_kernel, open},
};

/// Makes parts of events. One thread owns it.
pub(crate) struct Describer {
    proc: Arc<Proc>,
    names: CredentialNames,
    interner: Interner,
    memberships: Memberships,
    /// The agent's own namespaces.
    own: View,
}

impl Describer {
    /// Without anything cached. `cgroups` is the mount of cgroup version 2, if there is one.
    pub(crate) fn new(machine: &Machine, proc: Arc<Proc>, cgroups: Option<Cgroups>) -> Self {
        let memberships = Memberships::new(cgroups, machine.mixed_cgroups, proc.is_nowhere());
        let own = View::new(machine.mnt_namespace, machine.user_namespace);
        Self { proc, names: CredentialNames::new(own), interner: Interner::default(), memberships, own }
    }

    /// Sets the time by which cached names get old.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.names.set_now(now);
    }

    /// `process.*` without ancestry, and `container.*`.
    pub(crate) fn process(&mut self, subject: &Subject<'_>, event: &mut Event) -> Box<event::Process> {
        let Subject { key, state, process, start } = subject;
        let mut written = Box::<event::Process>::default();
        (written.pid, written.start) = (Some(state.tgid), Some(*start));
        let mut notes = Notes::new(&mut event.capture);
        (written.cgroup, event.container) = self.memberships.describe(subject, &mut notes);
        let mut writer = ProcessWriter { state, interner: &mut self.interner, written: &mut written, notes };
        let view = match process {
            Ok(process) => {
                writer.tracked(process);
                View::of(&process.task.namespaces)
            }
            Err(reason) => {
                writer.unknown(*reason);
                // The kernel's own tasks are in the first namespaces.
                if is_kernel(state) { self.own } else { View::default() }
            }
        };
        writer.comm(process.as_deref().ok());
        let proc = &self.proc;
        self.names.of(&state.credentials, view, &mut || open(proc, *key)).write(&mut written);
        written
    }
}
