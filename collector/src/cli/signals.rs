//! What signals do to a run.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    thread,
    time::Instant,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ},
    iterator::Signals as Caught,
};

use super::stop::Stop;

/// Reads the configuration again.
pub(super) type Reload = Box<dyn FnMut() + Send>;

/// Follows the signals of a run until the process ends, on a thread of its own.
///
/// SIGINT and SIGTERM end the stream in order, and the process when the stop timeout has passed; a second one changes nothing.
/// SIGHUP reloads the configuration, if there is a file of it. SIGUSR1 makes every output open its destination again, and
/// SIGUSR2 prints the counters. SIGXFSZ is ignored: write(2) fails instead, and the output reports that.
pub(super) fn follow(stop: Stop, reload: Option<Reload>) -> io::Result<()> {
    let caught = Caught::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXFSZ])?;
    thread::Builder::new().name("signals".to_owned()).spawn(|| wait(caught, &Arc::new(stop), reload))?;
    Ok(())
}

fn wait(mut caught: Caught, stop: &Arc<Stop>, mut reload: Option<Reload>) {
    let mut stopping = false;
    for signal in &mut caught {
        match signal {
            SIGINT | SIGTERM => begin_stop(stop, &mut stopping),
            SIGUSR1 => stop.reopen(),
            SIGUSR2 => stop.print_counters(),
            SIGHUP => match &mut reload {
                Some(reload) => reload(),
                None if io::stderr().is_terminal() => {
                    tracing::info!("SIGHUP: the terminal is gone, so the run ends");
                    begin_stop(stop, &mut stopping);
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
fn begin_stop(stop: &Arc<Stop>, stopping: &mut bool) {
    if std::mem::replace(stopping, true) {
        return;
    }
    let (stop, end) = (Arc::clone(stop), stop.begin());
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
