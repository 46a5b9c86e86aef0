//! The flags of run and replay.

use std::path::PathBuf;

use clap::Args;

use crate::{
    cli::settings::{Settings, SettingsError},
    stream::units::{ByteSize, Millis, SizeError},
};

use super::{Stream, filters::Limits};

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Run {
    /// Write a snapshot event of each process that runs already
    #[arg(long, env = "COLLECTOR_SNAPSHOT", value_parser = switch)]
    snapshot: bool,
    /// Set the size of the ring between kernel and agent: a power of two from 64KiB to 1GiB [default: 8MiB]
    #[arg(long, value_name = "SIZE", env = "COLLECTOR_RING_BYTES", value_parser = ring_bytes)]
    ring_bytes: Option<u32>,
    /// Also write the raw records to a new file, for collector replay. They contain secrets
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) record: Option<PathBuf>,
    /// End after this time: 10s, 500ms, 5min
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) duration: Option<Millis>,
    #[command(flatten)]
    pub(in crate::cli) stream: Stream,
    // These are last, since what follows a heading stands under it.
    #[command(flatten)]
    limits: Limits,
}

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Replay {
    /// Replay this recording
    pub(in crate::cli) file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) stream: Stream,
}

/// The value of a switch that a variable sets.
fn switch(word: &str) -> Result<bool, &'static str> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("it must be 1, true, yes or on, or 0, false, no or off"),
    }
}

fn ring_bytes(word: &str) -> Result<u32, String> {
    let ByteSize(bytes) = word.parse().map_err(|error: SizeError| error.to_string())?;
    let allowed = u32::try_from(bytes)
        .ok()
        .filter(|bytes| bytes.is_power_of_two() && (65_536..=1 << 30).contains(bytes));
    allowed.ok_or_else(|| "it must be a power of two from 64KiB to 1GiB".to_owned())
}

impl Run {
    /// The configuration: the values of the file, overridden by the flags.
    pub(in crate::cli) fn settings(&self) -> Result<Settings, SettingsError> {
        let mut settings = self.stream.settings()?;
        settings.snapshot |= self.snapshot;
        self.limits.apply(&mut settings.filter);
        if let Some(bytes) = self.ring_bytes {
            settings.ring.bytes = bytes;
        }
        settings.check()?;
        Ok(settings)
    }
}

impl Replay {
    /// The configuration: the values of the file, overridden by the flags.
    pub(in crate::cli) fn settings(&self) -> Result<Settings, SettingsError> {
        let settings = self.stream.settings()?;
        settings.check()?;
        Ok(settings)
    }
}
