//! Prints each failed connect of a file of JSON Lines: `event-reader FILE…`

use std::{env, fs};

use collector_event::{Event, Outcome};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in env::args().skip(1) {
        for line in fs::read_to_string(file)?.lines() {
            let event: Event = serde_json::from_str(line)?;
            if let (Some(Outcome::Failure), Some(to)) = (event.event.outcome, event.destination) {
                let program = event.process.and_then(|process| process.comm).unwrap_or_default();
                let why = event.error.map_or_else(|| "given up".to_owned(), |error| error.code);
                println!("{program} {:?}:{:?} {why}", to.ip, to.port);
            }
        }
    }
    Ok(())
}
