//! What the agent says of itself and of the machine.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `host.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// /etc/machine-id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The host name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// This boot of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub boot: Option<HostBoot>,
}

/// `host.boot.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostBoot {
    /// /`proc/sys/kernel/random/boot_id`.
    pub id: String,
}

/// `agent.type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentKind {
    /// This program.
    Collector,
}

/// `agent.*`, on `agent-start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// `collector`.
    #[serde(rename = "type")]
    pub kind: AgentKind,
    /// Version of the agent.
    pub version: Arc<str>,
    /// Release of the kernel, as uname(2) tells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel: Option<String>,
    /// The hooks that are attached.
    pub hooks: Vec<String>,
    /// What does not work on this machine, and why.
    pub degraded: BTreeMap<String, String>,
    /// The filters, as they are written on a command line; absent where all is told.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub filters: Vec<String>,
}

/// `loss.reason`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The ring buffer between kernel and agent had no room.
    RingFull,
    /// The kernel side had no room to build the record in.
    ReserveFailed,
    /// The agent's output queue was full, as the output took nothing.
    QueueFull,
    /// A table was full.
    TableFull,
    /// A subscriber did not keep up.
    SubscriberSlow,
    /// A record could not be understood.
    Decode,
    /// Not lost: an image was run more often than the limit says. Counted as filtered.
    Filtered,
}

impl LossReason {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::RingFull,
        Self::ReserveFailed,
        Self::QueueFull,
        Self::TableFull,
        Self::SubscriberSlow,
        Self::Decode,
        Self::Filtered,
    ];
}

/// `loss.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Why.
    pub reason: LossReason,
    /// How many events.
    #[schemars(range(min = 1))]
    pub count: u64,
    /// Of which action; absent where a record could not be understood.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub action: Option<super::Action>,
}

/// `counters`: of each action. `seen` is always `written` + `filtered` + `lost`.
pub type Counters = BTreeMap<String, CountersOf>;

/// The counters of one action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CountersOf {
    /// Seen by the kernel side.
    pub seen: u64,
    /// Written to the stream.
    pub written: u64,
    /// Not asked for.
    pub filtered: u64,
    /// Of those, the ones whose image was run more often than the limit says; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limited: Option<u64>,
    /// Lost, for any reason.
    pub lost: u64,
    /// Lost, by reason; reasons that did not occur are left out.
    pub lost_by_reason: BTreeMap<LossReason, u64>,
    /// Of `connect`: datagrams to a peer that the socket had its event for already.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folded: Option<u64>,
    /// Of `exit`: processes that were found to be gone and whose exit was not told; of the exits that were lost, those of
    /// processes that were known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended_unseen: Option<u64>,
}
