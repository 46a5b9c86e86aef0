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
    requested: Arc<Mutex<Option<Instant>>>,
}

impl Signals {
    /// SIGINT and SIGTERM end the stream in order, and the process when the stop timeout has passed; a second one changes nothing.
    /// SIGHUP reloads the configuration, if there is a file of it. SIGUSR1 makes every output open its destination again. SIGXFSZ
    /// is ignored: write(2) fails instead, and the output reports that.
    pub(super) fn follow(stop: Stop, reload: Option<Reload>) -> io::Result<Self> {
        let caught = Caught::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXFSZ])?;
        let (stop, requested) = (Arc::new(stop), Arc::default());
        let follow = {
            let (stop, requested) = (Arc::clone(&stop), Arc::clone(&requested));
            move || wait(caught, &stop, &requested, reload)
        };
        thread::Builder::new().name("signals".to_owned()).spawn(follow)?;
        Ok(Self { stop, requested })
    }

    /// Until when the outputs may go on delivering, once the stream has ended.
    pub(super) fn deadline_of_outputs(&self) -> Instant {
        let requested = *self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.deadline_of_outputs(requested)
    }
}

fn wait(
    mut caught: Caught,
    stop: &Arc<Stop>,
    requested: &Mutex<Option<Instant>>,
    mut reload: Option<Reload>,
) {
    for signal in &mut caught {
        match signal {
            SIGINT | SIGTERM => begin_stop(stop, requested),
            SIGUSR1 => stop.reopen(),
            SIGHUP => match &mut reload {
                Some(reload) => reload(),
                None if io::stderr().is_terminal() => {
                    tracing::info!("SIGHUP: the terminal is gone, so the run ends");
                    begin_stop(stop, requested);
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

/// Begins to stop, once. Another thread ends the process when the stop timeout has passed.
fn begin_stop(stop: &Arc<Stop>, requested: &Mutex<Option<Instant>>) {
    let mut requested = requested.lock().unwrap_or_else(PoisonError::into_inner);
    if requested.is_some() {
        return;
    }
    let now = stop.begin();
    *requested = Some(now);
    let (stop, end) = (Arc::clone(stop), stop.end(now));
    let give_up = move || {
        thread::sleep(end.saturating_duration_since(Instant::now()));
        stop.give_up()
    };
    // Without that thread the run still ends, but not in time if something hangs.
    let started: io::Result<thread::JoinHandle<()>> =
        thread::Builder::new().name("stop".to_owned()).spawn(give_up);
    if let Err(error) = started {
        tracing::warn!("cannot bound the time of the stop: {error}");
    }
}
