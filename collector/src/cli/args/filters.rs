//! Flags that leave out events.

use crate::filter::{Filter, Limit, Rule};
use clap::Args;

/// Rules on processes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct Rules {
    /// Leave out processes that match any of these rules: uid=NUMBER or NAME, cgroup=PATH or ID (and all below it), comm=NAME,
    /// image=PATH, or parent=PATH (the image that the parent runs). A PATH is a file, a directory with all below it, or ends
    /// with *
    #[arg(long, value_name = "RULE", value_delimiter = ';', env = "COLLECTOR_EXCLUDE")]
    exclude: Vec<Rule>,
    /// Keep only processes that match one of these rules of each key: uid=0 and uid=1 keep both users
    #[arg(long, value_name = "RULE", value_delimiter = ';', env = "COLLECTOR_ONLY")]
    only: Vec<Rule>,
}

impl Rules {
    /// Replaces the rules of the file by those of the flags, if there are any.
    pub(super) fn apply(&self, filter: &mut Filter) {
        if !self.exclude.is_empty() {
            filter.exclude.clone_from(&self.exclude);
        }
        if !self.only.is_empty() {
            filter.only.clone_from(&self.only);
        }
    }
}

/// Limits that the kernel side applies.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct Limits {
    /// Limit the execs of each image: COUNT/s, /m or /h, with :BURST for how many at once (100/s:200). A loss event with the
    /// reason filtered has the number of execs above the limit
    #[arg(long, value_name = "LIMIT", env = "COLLECTOR_EXEC_LIMIT")]
    exec_limit: Option<Limit>,
}

impl Limits {
    /// Replaces the limit of the file by that of the flag, if there is one.
    pub(super) fn apply(&self, filter: &mut Filter) {
        filter.exec_limit = self.exec_limit.or(filter.exec_limit);
    }
}
