//! The end of a run: every event that the kernel side saw still comes, then `agent-stop`.

use std::time::{Duration, Instant};

use super::{channel::Closed, stages::Stages, wait::PAUSE};
use crate::{
    event::{Agent, OutputCounters},
    source::Outcome,
};

/// How long to wait, after the programs were detached, for those that still run on another CPU.
const SETTLE: Duration = Duration::from_millis(200);
/// Shutdown grace for the outputs to be offered every event before their counters are written.
const OFFERED: Duration = Duration::from_millis(200);

/// Detaches the programs, and emits everything that they saw.
pub(super) fn drain(stages: &mut Stages) -> Result<(), Closed> {
    stages.source.stop();
    let until = Instant::now() + SETTLE;
    loop {
        let read = stages.read()?;
        stages.collect_digests();
        let full = stages.emit()?;
        if read.records > 0 {
            continue;
        }
        stages.count();
        if stages.ingest.is_settled() || Instant::now() >= until {
            return empty_queue(stages);
        }
        stages.wait(full);
    }
}

/// Emits the rest, however long the consumer needs, and waits a while for late digests.
fn empty_queue(stages: &mut Stages) -> Result<(), Closed> {
    let until = Instant::now() + stages.ingest.options().digest_grace;
    loop {
        stages.collect_digests();
        stages.ingest.queue_losses();
        while let Some((mut event, time_ns)) = stages.ingest.pop() {
            stages.emitter.place(&mut event, time_ns);
            stages.wait_for_room()?;
            stages.emitter.push(event);
        }
        stages.emitter.flush();
        if stages.ingest.is_empty() {
            let late = stages.ingest.late_digests();
            if late == 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                tracing::warn!("{late} processes were reported without their digests, which take too long");
                return Ok(());
            }
        }
        stages.wait(false);
    }
}

/// Emits `agent-stop`, with the final counters.
pub(super) fn finish(stages: &mut Stages, mut agent: Agent) {
    let offered = stages.emitter.sequence();
    let (mut stop, now_ns) = stages.ingest.stop();
    stages.emitter.place(&mut stop, now_ns);
    stop.counters = Some(Box::new(stages.ingest.counters()));
    // The consumer of `agent-stop` reads the same counters from the handle.
    stages.publish();
    if let Outcome::Damaged(damage) = stages.source.outcome() {
        agent.degraded.insert("recording".to_owned(), damage.to_string());
        stop.agent = Some(Box::new(agent));
    }
    if stages.ingest.options().live {
        stop.outputs = delivery_counters(stages, offered);
    }
    // If the consumer is gone, nobody misses the event.
    if stages.wait_for_room().is_ok() {
        stages.emitter.push(stop);
        stages.emitter.flush();
    }
}

/// The counters of the outputs, once each was offered all events up to this sequence; or what they are after a while.
fn delivery_counters(stages: &Stages, sequence: u64) -> Vec<OutputCounters> {
    let Some(delivery) = stages.commands.take_delivery() else { return Vec::new() };
    let until = Instant::now() + OFFERED;
    while delivery.offered() < sequence && Instant::now() < until {
        stages.wait_for_wake_up(PAUSE);
    }
    delivery.counters()
}
