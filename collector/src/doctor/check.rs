//! One check: what it found, what fails because of that, and what to do.

use schemars::JsonSchema;
use serde::Serialize;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Something is missing or was not tried, and the agent runs without it.
    Warn,
    /// The agent cannot run.
    Fail,
}

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What it looked at: a word in kebab case, or `hook` and the hook's name.
    pub name: String,
    /// Its result.
    pub status: Status,
    /// What it found, for people.
    pub found: String,
    /// What fails because of it; absent if nothing does, or if another check says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affects: Option<String>,
    /// What the user can do; absent with `affects`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), status: Status::Ok, found: found.into(), affects: None, advice: None }
    }

    /// Not made, because of what another check found.
    pub(super) fn not_tried(name: &str, without: &str) -> Self {
        Self { status: Status::Warn, ..Self::ok(name, format!("not tried: see {without}")) }
    }

    pub(super) fn warn(
        name: &str,
        found: impl Into<String>,
        affects: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (affects, advice) = (Some(affects.into()), Some(advice.into()));
        Self { status: Status::Warn, affects, advice, ..Self::ok(name, found) }
    }

    pub(super) fn fail(
        name: &str,
        found: impl Into<String>,
        affects: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { status: Status::Fail, ..Self::warn(name, found, affects, advice) }
    }
}
