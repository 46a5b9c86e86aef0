//! One check: what was found, what fails without it, and what to do.

use schemars::JsonSchema;
use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Something is missing or was not tried, and the agent can do without.
    Warn,
    /// The agent cannot run.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What was looked at: in kebab case, or `hook` and the hook's name.
    pub name: String,
    /// How it came out.
    pub status: Status,
    /// What was found, for people.
    pub found: String,
    /// What fails because of it; absent where nothing does, or another check says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affects: Option<String>,
    /// What to do about it; absent with `affects`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), status: Status::Ok, found: found.into(), affects: None, advice: None }
    }

    /// For want of what another check tells.
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
