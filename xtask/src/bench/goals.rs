//! Measurements of the agent alone: its start, the delay of its lines, bursts, memory over a million
//! processes, and connections.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bench::load::{Load, Made, Reported};
use crate::bench::peers::{Peer, agent_command};
use crate::bench::report::{self, median};
use crate::bench::scratch;
use crate::bench::storm::mebibytes;
use crate::bench::tool::Tool;

/// Processes a second, few enough that the agent sleeps in between.
const IDLE_RATE: u32 = 50;

/// The median time from starting the agent to `agent-start` in its output.
pub(super) fn start(times: u32) -> Result<()> {
    let scratch = scratch()?;
    let stream = scratch.path().join("stream.jsonl");
    let mut took_ms = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        let agent = Tool::start("agent", vec![agent_command(&stream)], scratch.path())?;
        wait_for_start(&stream)?;
        took_ms.push(begin.elapsed().as_secs_f64() * 1e3);
        agent.stop()?;
        fs::remove_file(&stream).with_context(|| format!("cannot remove {}", stream.display()))?;
    }
    let took_ms = median(took_ms).context("no start was asked for")?;
    report::put_goal("start to `agent-start`", &format!("{took_ms:.0} ms"))
}

fn wait_for_start(stream: &Path) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while !fs::read_to_string(stream).is_ok_and(|text| text.contains("\"agent-start\"")) {
        if Instant::now() > end {
            bail!("no agent-start within 30 s in {}", stream.display());
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// `capture.lag_ns` of execs and exits, in a storm and idle.
pub(super) fn latency(load: &Load, seconds: u32) -> Result<()> {
    let (_, storm) = watched(load, |load| load.execs(seconds * 10_000, 0))?;
    report::put_goal("from the kernel's event to the written line, in the storm", &lag(&storm))?;
    let (_, idle) = watched(load, |load| load.execs(seconds * IDLE_RATE, IDLE_RATE))?;
    report::put_goal("from the kernel's event to the written line, idle", &lag(&idle))
}

fn lag(reported: &Reported) -> String {
    let ms = |nanoseconds| Duration::from_nanos(nanoseconds).as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p99 {:.2} ms", ms(reported.lag_p50_ns), ms(reported.lag_p99_ns))
}

/// 1,250 processes within 100 ms of each second.
pub(super) fn bursts(load: &Load, seconds: u32) -> Result<()> {
    let (made, reported) = watched(load, |load| load.bursts(seconds))?;
    let measured =
        format!("{} of {}, {} not reported", reported.lost, made.count, made.count - reported.caught);
    report::put_goal("lost in bursts of 1,250 execs in 100 ms each second", &measured)
}

fn watched(load: &Load, make: impl FnOnce(&Load) -> Result<Made>) -> Result<(Made, Reported)> {
    let scratch = scratch()?;
    let agent = Peer::Agent.start(scratch.path())?;
    let made = make(load)?;
    agent.settle()?;
    let reported = agent.stop(load, made.count)?;
    Ok((made, reported))
}

/// Resident memory after a quarter, a half and all of the processes. The lines go to /dev/null: there are
/// 5 GB of them.
pub(super) fn memory(load: &Load, processes: u32) -> Result<()> {
    let scratch = scratch()?;
    let agent = Tool::start("agent", vec![agent_command(Path::new("/dev/null"))], scratch.path())?;
    agent.settle()?;
    let mut sizes = Vec::new();
    for share in [processes / 4, processes / 4, processes / 2] {
        load.execs(share, 0)?;
        agent.settle()?;
        sizes.push(mebibytes(agent.memory("VmRSS")?));
    }
    let most = mebibytes(agent.memory("VmHWM")?);
    agent.stop()?;
    let sizes = sizes.iter().map(|size| format!("{size:.1}")).collect::<Vec<_>>().join(", ");
    let measured =
        format!("{sizes} MiB after a quarter, a half and all of {processes}; at most {most:.1} MiB");
    report::put_goal("resident memory after 1,000,000 processes", &measured)
}

/// CPU time of the agent for each connection, which it reports twice: the connect and its result.
pub(super) fn connects(load: &Load, count: u32) -> Result<()> {
    let scratch = scratch()?;
    let agent = Peer::Agent.start(scratch.path())?;
    let before = agent.cpu()?;
    let made = load.connects(count)?;
    agent.settle()?;
    let cpu = agent.cpu()?.saturating_sub(before);
    let reported = agent.stop(load, 0)?;
    let cpu_us = cpu.as_secs_f64() * 1e6 / f64::from(made.count);
    let a_second = f64::from(made.count) / made.wall.as_secs_f64();
    let measured = format!("{cpu_us:.1} µs at {a_second:.0} a second, {} lost", reported.lost);
    report::put_goal("CPU for each connect + result", &measured)
}
