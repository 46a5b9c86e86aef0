//! Reload: changes the configuration while the agent runs.

use crate::{
    config::{Config, ConfigError},
    options,
    pipeline::commands::Commands,
};

/// Changes the configuration of a running [`Collector`](crate::Collector), from anywhere.
#[derive(Clone, Debug)]
pub(crate) struct Reloader {
    started_with: Config,
    commands: Commands,
}

impl Reloader {
    /// For an agent that was started with this configuration and takes these commands.
    pub(crate) fn new(started_with: Config, commands: Commands) -> Self {
        Self { started_with, commands }
    }

    /// Applies the keys that may change while the agent runs: `checksums.algorithms`, `max_bytes` and `wait_ms`, for every
    /// later event, also of processes that run already. Returns the other keys that differ from those at the start of the
    /// agent; they need a restart.
    ///
    /// A configuration that [`Config::check`] rejects changes nothing.
    pub(crate) fn reload(&self, config: &Config) -> Result<Vec<&'static str>, ConfigError> {
        config.check()?;
        self.commands.set_digest_limits(options::digest_limits(config));
        Ok(config.differs_in(&self.started_with))
    }
}

#[cfg(test)]
mod tests {
    use super::Reloader;
    use crate::{checksum::Algorithms, config::Config, pipeline::commands::Commands, wake_event::WakeEvent};

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    fn reloader() -> Reloader {
        Reloader::new(Config::default(), Commands::new(WakeEvent::new().unwrap()))
    }

    #[test]
    fn algorithms_change_and_keys_that_need_a_restart_are_returned() {
        let reloader = reloader();
        let config = config("snapshot = true\nring.bytes = 65536\nchecksums.algorithms = [\"sha1\"]");
        assert_eq!(reloader.reload(&config).unwrap(), ["snapshot", "ring"]);
        let algorithms = reloader.commands.take_digest_limits().unwrap().algorithms;
        assert_eq!(algorithms, Algorithms { md5: false, sha1: true, sha256: false });
        assert_eq!(reloader.commands.take_digest_limits(), None);
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
        assert_eq!(reloader.commands.take_digest_limits(), None);
    }
}
