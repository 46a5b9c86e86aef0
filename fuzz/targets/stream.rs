//! Records of a few processes, in any order and with any content, and a process table too small for all of
//! them: each event can be written and read.

#![no_main]

use std::sync::Arc;

use collector::{
    decode::decode,
    enrich::{EnrichOptions, Enricher},
    event::{Action, Host},
    filter::Filter,
    machine::Machine,
    process::TableLimits,
    procfs::Proc,
    redact::{Mode, Redactor},
};
use collector_fuzz::{check_event, recording::records};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

fn machine() -> Machine {
    Machine {
        host: Host::default(),
        boot: Uuid::nil(),
        kernel: "fuzz".to_owned(),
        started_ns: 1,
        wall_offset_ns: 1_795_000_000_000_000_000,
        // The namespace of no process, so that no names are looked up in files of this machine.
        mnt_namespace: u32::MAX,
        user_namespace: 1,
        pid_namespace: 1,
        mixed_cgroups: true,
        page_size: 4096,
    }
}

fn options() -> EnrichOptions {
    let names = ["*PASSWORD*", "KEY", "*_KEY", "TOKEN*"].map(str::to_owned);
    EnrichOptions {
        table: TableLimits { entries: 8, grace_ns: 1_000_000_000 },
        ancestors: 4,
        redactor: Redactor::new(Mode::Names, &names, &[]),
        actions: Action::ALL.iter().copied().collect(),
        filter: Filter::OFF,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut enricher = Enricher::new(machine(), Arc::new(Proc::nowhere()), None, options());
    for (aligned, len) in records(bytes) {
        let record = decode(aligned.first(len)).expect("its header was repaired");
        if let Some(draft) = enricher.enrich(&record) {
            check_event(&draft.event);
        }
        enricher.expire(record.time_ns());
    }
});
