//! What signals do to a run.

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Instant,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ},
    iterator::Signals as Caught,
};

use super::stop::Stop;

/// Reads the configuration again.
pub(super) type Reload = Box<dyn FnMut() + Send>;

/// Follows the signals of a run until the process ends.
pub(super) struct Signals {
    stop: Arc<Stop>,
    /// The time of the first request to stop.
    begun: Arc<Mutex<Option<Instant>>>,
}

impl Signals {
    /// SIGINT and SIGTERM end the stream in order, and the process once the time for that is up; a second one changes nothing.
    /// SIGHUP reloads the configuration, if there is a file of it. SIGUSR1 has every output open its destination again. SIGXFSZ
    /// is ignored: write(2) fails instead, and the output says so.
    pub(super) fn follow(stop: Stop, reload: Option<Reload>) -> io::Result<Self> {
        let caught = Caught::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXFSZ])?;
        let (stop, begun) = (Arc::new(stop), Arc::default());
        let follow = {
            let (stop, begun) = (Arc::clone(&stop), Arc::clone(&begun));
            move || wait(caught, &stop, &begun, reload)
        };
        thread::Builder::new().name("signals".to_owned()).spawn(follow)?;
        Ok(Self { stop, begun })
    }

    /// Until when the outputs may go on delivering, once the stream has ended.
    pub(super) fn deadline_of_outputs(&self) -> Instant {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.deadline_of_outputs(begun)
    }
}

fn wait(mut caught: Caught, stop: &Arc<Stop>, begun: &Mutex<Option<Instant>>, mut reload: Option<Reload>) {
    for signal in &mut caught {
        match signal {
            SIGINT | SIGTERM => begin(stop, begun),
            SIGUSR1 => stop.reopen(),
            SIGHUP => match &mut reload {
                Some(reload) => reload(),
                None if io::stderr().is_terminal() => {
                    tracing::info!("SIGHUP: the terminal is gone, so the run ends");
                    begin(stop, begun);
                }
                None => {
                    tracing::info!(
                        "SIGHUP: there is no configuration file to reload; outputs are opened again"
                    );
                    stop.reopen();
                }
            },
            _ => {}
        }
    }
}

/// Begins to stop, once, and has another thread end the process when the time is up.
fn begin(stop: &Arc<Stop>, begun: &Mutex<Option<Instant>>) {
    let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
    if begun.is_some() {
        return;
    }
    let now = stop.begin();
    *begun = Some(now);
    let (stop, end) = (Arc::clone(stop), stop.end(now));
    let give_up = move || {
        thread::sleep(end.saturating_duration_since(Instant::now()));
        stop.give_up()
    };
    // Without that thread the run still ends, only later where something hangs.
    let started: io::Result<thread::JoinHandle<()>> =
        thread::Builder::new().name("stop".to_owned()).spawn(give_up);
    if let Err(error) = started {
        tracing::warn!("the time for the stop is not bounded: {error}");
    }
}
