//! Counts the events of this machine, or of a recording: `embedder [RECORDING]`

use std::{env, path::Path};

use collector::{Collector, event::Action};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let builder = Collector::builder().events([Action::Exec, Action::Exit]);
    let mut events = match env::args().nth(1) {
        Some(recording) => builder.replay(Path::new(&recording))?,
        None => builder.start()?,
    };
    let mut count = 0;
    while let Some(event) = events.wait() {
        println!("{} {}", event.timestamp, event.action());
        count += 1;
    }
    println!("{count} events");
    Ok(())
}
