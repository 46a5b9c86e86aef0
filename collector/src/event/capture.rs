//! `capture.*`: how good a record is.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a field came from, where that is not the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Taken by the kernel side at the moment of the event.
    Kernel,
    /// Read from /proc afterwards.
    Proc,
    /// Inherited from the parent over fork.
    Parent,
    /// Known to the agent already.
    Cache,
}

/// Why a field is absent: one of the words of SCHEMA.md, or `io:` and an errno.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Reason(
    #[schemars(regex(
        pattern = r"^(exited|denied|kernel_task|too_large|pending|unsupported|disabled|unbound|unstable|io:[A-Z0-9]+)$"
    ))]
    pub Cow<'static, str>,
);

/// A field's path in the record: `process.args`.
pub(super) type FieldName = Cow<'static, str>;

/// `capture.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Where fields came from that did not come from the kernel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub origin: BTreeMap<FieldName, Origin>,
    /// Why fields are absent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub missing: BTreeMap<FieldName, Reason>,
    /// Full size of what was cut: bytes of arguments and environment, number of ancestors.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub truncated: BTreeMap<FieldName, u64>,
    /// Exact bytes, in base64, of values that are not valid UTF-8 (`process.args[4]`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub bytes: BTreeMap<String, String>,
    /// Members of lists of which a part was hidden, as a secret: `process.env_vars[3]`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub redacted: Vec<String>,
    /// Nanoseconds from the kernel's event to the writing of the record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_ns: Option<u64>,
}

impl Capture {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { origin, missing, truncated, bytes, redacted, lag_ns } = self;
        origin.is_empty()
            && missing.is_empty()
            && truncated.is_empty()
            && bytes.is_empty()
            && redacted.is_empty()
            && lag_ns.is_none()
    }
}
