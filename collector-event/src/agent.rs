//! The machine, the agent, and what the agent counts and loses.

use std::{collections::BTreeMap, fmt, sync::Arc};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Action;

/// `host.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Host {
    /// /etc/machine-id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The host name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The machine's current boot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot: Option<HostBoot>,
}

/// `host.boot.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct HostBoot {
    /// `/proc/sys/kernel/random/boot_id`.
    pub id: String,
}

/// `agent.type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum AgentKind {
    /// This program.
    Collector,
    /// A type that this version does not know.
    #[serde(other)]
    Unknown,
}

/// `agent.*`, on `agent-start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Agent {
    /// `collector`.
    #[serde(rename = "type")]
    pub kind: AgentKind,
    /// Version of the agent.
    pub version: Arc<str>,
    /// Release of the kernel, from uname(2).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel: Option<String>,
    /// The hooks that are attached.
    pub hooks: Vec<String>,
    /// Features that do not work on this machine, each with the reason.
    pub degraded: BTreeMap<String, String>,
    /// The filters, as they are typed on a command line; absent without filters.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub filters: Vec<String>,
}

/// `loss.reason`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum LossReason {
    /// The ring buffer between kernel and agent had no room.
    RingFull,
    /// The kernel side had no room to build the record in.
    ReserveFailed,
    /// The agent's queue was full, since nothing took its events.
    QueueFull,
    /// A table was full.
    TableFull,
    /// One output did not keep up, and its buffer was full.
    SubscriberSlow,
    /// A record could not be decoded.
    Decode,
    /// Not lost, but left out: an image ran more often than the limit allows. Counted as filtered.
    Filtered,
    /// A reason that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

impl LossReason {
    /// All reasons that this version writes.
    pub const ALL: [Self; 7] = [
        Self::RingFull,
        Self::ReserveFailed,
        Self::QueueFull,
        Self::TableFull,
        Self::SubscriberSlow,
        Self::Decode,
        Self::Filtered,
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::ReserveFailed => "reserve_failed",
            Self::QueueFull => "queue_full",
            Self::TableFull => "table_full",
            Self::SubscriberSlow => "subscriber_slow",
            Self::Decode => "decode",
            Self::Filtered => "filtered",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `loss.*`
///
/// ```
/// use collector_event::{Action, Loss, LossReason};
///
/// let loss: Loss = serde_json::from_str(r#"{"reason":"queue_full","count":3,"action":"exec"}"#)?;
/// assert_eq!((loss.reason, loss.count, loss.action), (LossReason::QueueFull, 3, Some(Action::Exec)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
// The example is not part of the schema.
#[cfg_attr(feature = "schema", schemars(description = "`loss.*`"))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Loss {
    /// Why.
    pub reason: LossReason,
    /// How many events.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub count: u64,
    /// Their action; absent for a record that could not be decoded, and for the loss of an output.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<Action>,
    /// The output that lost them; absent where the whole stream lost them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Arc<str>>,
    /// `event.sequence` of the first event that the output lost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_sequence: Option<u64>,
    /// `event.sequence` of the last one. Events between the two may have been selected out rather than lost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_sequence: Option<u64>,
}

/// `counters`: of each action. `seen` is always `written` + `filtered` + `lost`.
pub type Counters = BTreeMap<String, CountersOf>;

/// The counters of one action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct CountersOf {
    /// Seen by the kernel side.
    pub seen: u64,
    /// Written to the stream.
    pub written: u64,
    /// Left out, by a filter or since nobody asked for the action.
    pub filtered: u64,
    /// Of the filtered ones, those over the limit of their image; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limited: Option<u64>,
    /// Lost, for any reason.
    pub lost: u64,
    /// Lost, by reason. Reasons that did not occur are absent.
    pub lost_by_reason: BTreeMap<LossReason, u64>,
    /// Of `connect`: datagrams to a peer whose event the socket had already.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folded: Option<u64>,
    /// Of `exit`: known processes that were found gone and whose exit was lost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_unseen: Option<u64>,
}

/// `outputs[]`: the counters of one output. `written` is always `delivered` + `dropped` + `pending`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct OutputCounters {
    /// Its name: the word that it is configured by.
    pub name: Arc<str>,
    /// Events of the stream that the output selected.
    pub written: u64,
    /// Events that its destination took, each whole.
    pub delivered: u64,
    /// Events that it lost, since its buffer was full or its destination was closed.
    pub dropped: u64,
    /// Events in its buffer, or on their way to the destination.
    pub pending: u64,
}

#[cfg(test)]
mod tests {
    use super::LossReason;

    #[test]
    fn a_reason_is_shown_as_it_is_written() {
        for reason in LossReason::ALL {
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{reason}\""));
        }
    }
}
