//! Counts the events of this machine, or of a recording: `embedder [RECORDING]`

use std::{env, error::Error, path::Path};

use collector::{
    Collector,
    checksum::{Algorithm, Algorithms},
    config::Checksums,
    event::Action,
    filter::Filter,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut filter = Filter::default();
    filter.exclude.push("comm=cron".parse()?);
    let mut checksums = Checksums::default();
    checksums.algorithms = Algorithms::from_iter([Algorithm::Sha256]);
    let builder =
        Collector::builder().events([Action::Exec, Action::Exit]).filter(filter).checksums(checksums);
    let mut events = match env::args().nth(1) {
        Some(recording) => builder.replay(Path::new(&recording))?,
        None => builder.start()?,
    };
    let mut count = 0;
    while let Some(event) = events.wait() {
        let event = event?;
        println!("{} {}", event.timestamp, event.action());
        count += 1;
    }
    println!("{count} events, counters: {:?}", events.handle().counters());
    Ok(())
}
