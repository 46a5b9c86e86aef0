//! `capture.*`: how complete an event is, and where its fields come from.

use std::{borrow::Cow, collections::BTreeMap, convert::Infallible, fmt, str::FromStr};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a field comes from, when the kernel side did not report it with the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum Origin {
    /// Read from /proc afterwards.
    Proc,
    /// Inherited from the parent over fork.
    Parent,
    /// From the agent's cache.
    Cache,
    /// An origin that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// Why a field is absent: one of the words of SCHEMA.md, or `io:` and an errno. A later version may add words.
///
/// ```
/// use collector_event::Reason;
///
/// let reason: Reason = serde_json::from_str(r#""io:ENOENT""#)?;
/// assert_eq!(reason.as_str(), "io:ENOENT");
/// assert_eq!(Ok(reason), "io:ENOENT".parse());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
// The example is not part of the schema.
#[cfg_attr(
    feature = "schema",
    schemars(description = "Why a field is absent: one of the words of SCHEMA.md, or `io:` and an errno.")
)]
pub struct Reason(
    #[cfg_attr(
        feature = "schema",
        schemars(regex(
            pattern = r"^(exited|denied|kernel_task|too_large|pending|unsupported|disabled|unbound|unstable|replay|io:[A-Z0-9]+)$"
        ))
    )]
    pub Cow<'static, str>,
);

/// A field's path in the event: `process.args`.
pub(crate) type FieldName = Cow<'static, str>;

/// `capture.*`
///
/// ```
/// use collector_event::{Capture, Origin};
///
/// let text = r#"{"origin":{"process.user.name":"cache"},"missing":{"process.hash":"pending"}}"#;
/// let capture: Capture = serde_json::from_str(text)?;
/// assert_eq!(capture.origin["process.user.name"], Origin::Cache);
/// assert_eq!(capture.missing["process.hash"].as_str(), "pending");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
// The example is not part of the schema.
#[cfg_attr(feature = "schema", schemars(description = "`capture.*`"))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Capture {
    /// Fields that do not come from the kernel side, each with its origin.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub origin: BTreeMap<FieldName, Origin>,
    /// Fields that are absent, each with the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub missing: BTreeMap<FieldName, Reason>,
    /// Fields that were cut, each with its full size: bytes of arguments and environment, number of ancestors.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub truncated: BTreeMap<FieldName, u64>,
    /// Exact bytes, in base64, of values that are not valid UTF-8 (`process.args[4]`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub bytes: BTreeMap<String, String>,
    /// Members of lists in which a secret is hidden: `process.env_vars[3]`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub redacted: Vec<String>,
    /// Nanoseconds from the event in the kernel to its place in the stream.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lag_ns: Option<u64>,
}

impl Capture {
    /// Whether every field is absent.
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

impl Reason {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Reason {
    type Err = Infallible;

    /// Takes every word, as a reader of the stream does.
    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned().into()))
    }
}
