//! What can be changed while the agent runs.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    config::{Config, ConfigError},
    enrich::digest::Limits,
    wake::Waker,
};

/// Changes the configuration of a running [`Collector`](crate::Collector), from anywhere.
#[derive(Clone, Debug)]
pub struct Reloader {
    started_with: Config,
    changes: Changes,
}

impl Reloader {
    /// For an agent that was started with this configuration and looks for changes there.
    pub(crate) fn new(started_with: Config, changes: Changes) -> Self {
        Self { started_with, changes }
    }

    /// Takes over what may change while the agent runs: `checksums.algorithms`, `max_bytes` and `wait_ms`, for every event
    /// that comes from now on, of processes that run already too. Names the other keys that differ from those that the
    /// agent was started with; they need a restart.
    ///
    /// A configuration that is wrong changes nothing.
    pub fn reload(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        config.check()?;
        self.changes.set(config.digest().limits);
        Ok(config.differs_in(&self.started_with))
    }
}

/// Between a [`Reloader`] and the agent's thread.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    limits: Arc<Mutex<Option<Limits>>>,
    waker: Waker,
}

impl Changes {
    /// None yet; `waker` is rung for each.
    pub(crate) fn new(waker: Waker) -> Self {
        Self { limits: Arc::default(), waker }
    }

    fn set(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Some(limits);
        self.waker.wake();
    }

    /// What was set since the last call.
    pub(crate) fn take(&self) -> Option<Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::{Changes, Reloader};
    use crate::{config::Config, enrich::digest::Algorithms, wake::Waker};

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    fn reloader() -> Reloader {
        Reloader::new(Config::default(), Changes::new(Waker::new().unwrap()))
    }

    #[test]
    fn algorithms_are_taken_over_and_what_needs_a_restart_is_named() {
        let reloader = reloader();
        let config = config("snapshot = true\nring.bytes = 65536\nchecksums.algorithms = [\"sha1\"]");
        assert_eq!(reloader.reload(&config).unwrap(), ["snapshot", "ring"]);
        let algorithms = reloader.changes.take().unwrap().algorithms;
        assert_eq!(algorithms, Algorithms { md5: false, sha1: true, sha256: false });
        assert_eq!(reloader.changes.take(), None);
    }

    #[test]
    fn filters_need_a_restart() {
        let config = config("filter.exclude = [\"uid=1000\"]");
        assert_eq!(reloader().reload(&config).unwrap(), ["filter"]);
    }

    #[test]
    fn a_wrong_configuration_changes_nothing() {
        let reloader = reloader();
        assert!(reloader.reload(&config("queue.events = 0\nchecksums.algorithms = []")).is_err());
        assert_eq!(reloader.changes.take(), None);
    }
}
