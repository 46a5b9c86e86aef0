//! Prints each failed connect of a file of JSON Lines: `cargo run --example failed_connects -- FILE`

use std::{env, error, fs};

use collector_event::{Event, Outcome};

#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn main() -> Result<(), Box<dyn error::Error>> {
    let file = env::args().nth(1).ok_or("usage: failed_connects FILE")?;
    for line in fs::read_to_string(file)?.lines() {
        let event: Event = serde_json::from_str(line)?;
        if let (Some(Outcome::Failure), Some(to)) = (event.event.outcome, event.destination) {
            let (ip, port) = (to.ip.map(|ip| ip.to_string()), to.port.map(|port| port.to_string()));
            let program = event.process.and_then(|process| process.comm).unwrap_or_default();
            let why = event.error.map_or_else(|| "given up".to_owned(), |error| error.code);
            println!("{program} → {} port {}: {why}", ip.unwrap_or_default(), port.unwrap_or_default());
        }
    }
    Ok(())
}
