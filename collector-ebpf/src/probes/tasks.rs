//! Processes that ran before the agent: the task iterator, read once after everything is attached.
//!
//! Its records go into the same ring, so the order of the ring decides about concurrent events.

use collector_common::{Kind, TaskRecord};

use crate::{
    emit, filter,
    kernel::{
        context::{IterTaskContext, iterated_task},
        task,
    },
};

/// Written by hand: aya has no macro for iterators.
#[expect(unsafe_code, reason = "the loader finds the program by its name and section")]
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
extern "C" fn running_tasks(context: *const IterTaskContext) -> i32 {
    let Some(found) = iterated_task(context) else { return 0 };
    // A process whose threads have all ended has sent its exit already; a record here would revive it.
    if task::is_group_leader(found) && task::group_lives(found) {
        emit::seen(Kind::Task);
        let fate = filter::found(found);
        emit::record(Kind::Task, |record: &mut TaskRecord| {
            record.header = emit::header(Kind::Task, fate, size_of::<TaskRecord>());
            record.header.cgroups = task::cgroups(found);
            task::identity(found, &mut record.task);
            (record.forker_tgid, record.forker_start_ns) = (0, 0);
            record.reserved = 0;
        });
    }
    0
}
