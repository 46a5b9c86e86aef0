//! The library in use: prints each exec with the process that did it, its parent and the digest of what it runs.
//!
//! `sudo -E cargo run --example watch`, since the programs are loaded into the kernel; Ctrl-C ends it in order.

use std::{
    error::Error,
    io::{self, Write as _},
};

use collector::{
    Collector,
    event::{Action, Process},
};
use futures_util::StreamExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut events = Collector::builder().events([Action::Exec]).start()?;
    let handle = events.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            // Events that have begun still come, then `agent-stop`, then the stream ends.
            handle.stop();
        }
    });
    let mut out = io::stdout().lock();
    while let Some(event) = events.next().await {
        let event = event?;
        if let Some(loss) = &event.loss {
            // Losses are part of the stream: a count of execs has to include them.
            writeln!(out, "{} events lost: {:?}", loss.count, loss.reason)?;
        } else if let (Action::Exec, Some(process)) = (event.action(), &event.process) {
            writeln!(out, "{}", line(process))?;
        }
    }
    Ok(())
}

/// `PARENT → COMMAND LINE (SHA-256)`. A field that is not known is absent; `event.capture.missing` would say why.
fn line(process: &Process) -> String {
    let or_unknown = |text: Option<&str>| text.unwrap_or("?").to_owned();
    let parent = process.parent.as_ref().and_then(|parent| parent.comm.as_deref());
    let digest = process.hash.as_ref().and_then(|hash| hash.sha256.as_deref());
    format!(
        "{} → {} ({})",
        or_unknown(parent),
        or_unknown(process.command_line.as_deref()),
        or_unknown(digest)
    )
}
