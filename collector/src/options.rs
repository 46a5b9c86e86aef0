//! From the configuration to the options of each room. Neither side knows the other.

use std::time::Duration;

use crate::{config::Config, digest, enrich, process::TableLimits, redact::Redactor};

/// Options of the enricher.
#[must_use]
pub fn enrich(config: &Config) -> enrich::EnrichOptions {
    enrich::EnrichOptions {
        table: TableLimits {
            entries: config.processes.entries,
            grace_ns: config.processes.grace_ms.saturating_mul(1_000_000),
        },
        ancestors: config.processes.ancestors,
        redactor: Redactor::new(config.redaction.mode, &config.redaction.names, &config.redaction.allow),
        actions: config.actions(),
        filter: config.filter.clone(),
    }
}

/// Options of the digest cache and its workers.
#[must_use]
pub fn digest(config: &Config) -> digest::DigestOptions {
    digest::DigestOptions { limits: digest_limits(config), cache_entries: config.checksums.entries }
}

/// The part of [`digest()`] that a reload changes.
#[must_use]
pub fn digest_limits(config: &Config) -> digest::DigestLimits {
    digest::DigestLimits {
        algorithms: config.checksums.algorithms,
        max_size: config.checksums.max_bytes,
        wait: Duration::from_millis(config.checksums.wait_ms),
    }
}
