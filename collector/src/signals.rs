//! What signals do to a run.

use std::{
    io::{self, Write as _},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use collector::pipeline::Stopper;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Reads the configuration again.
pub(crate) type Reload = Box<dyn FnMut() + Send>;

/// A terminal's Ctrl-C and timeout(1) may send one signal twice.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// SIGINT and SIGTERM end the stream in order; another one, a while later, ends the process at once. SIGHUP has the
/// configuration read again where there is a file of it, and is the end of the terminal otherwise.
///
/// Answers whether the stream is to end.
pub(crate) fn follow(stopper: Stopper, reload: Option<Reload>) -> io::Result<Arc<AtomicBool>> {
    let stopping = Arc::new(AtomicBool::new(false));
    let asked = stopping.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::caught()?
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(signals.wait(reload, || {
            asked.store(true, Ordering::Release);
            stopper.stop();
        }));
    })?;
    Ok(stopping)
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn caught() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn wait(mut self, mut reload: Option<Reload>, stop: impl Fn()) {
        let mut first = None;
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hangup.recv() => {
                    if let Some(reload) = &mut reload {
                        reload();
                        continue;
                    }
                }
            }
            let since = *first.get_or_insert_with(Instant::now);
            if since.elapsed() > SAME_SIGNAL {
                // Nobody is left to tell where stderr is closed.
                let _ = writeln!(
                    io::stderr(),
                    "collector: ended by another signal; what was not written is lost"
                );
                process::exit(1);
            }
            stop();
        }
    }
}
