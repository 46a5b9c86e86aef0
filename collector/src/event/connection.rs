//! The fields of connections.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an address is described to machines.
#[derive(JsonSchema)]
#[schemars(extend("type" = "string", "anyOf" = [{ "format": "ipv4" }, { "format": "ipv6" }]))]
#[expect(dead_code, reason = "the schema alone is used")]
struct Address(String);

/// `source.*` and `destination.*`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The address; of an IPv4-mapped IPv6 address, the IPv4 one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<Address>")]
    pub ip: Option<IpAddr>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub port: Option<u16>,
}

/// `network.transport`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
pub enum Transport {
    Tcp,
    Udp,
}

/// `network.type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
pub enum NetworkType {
    Ipv4,
    Ipv6,
}

/// `network.direction`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
pub enum Direction {
    Egress,
}

/// `network.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The protocol.
    pub transport: Transport,
    /// The address family on the wire.
    #[serde(rename = "type")]
    pub network_type: NetworkType,
    /// Always from this machine outwards.
    pub direction: Direction,
    /// Community ID, version 1, seed 0; where both ends are known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub community_id: Option<String>,
    /// The kernel itself opened it: no process stands behind it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel_connection: Option<bool>,
}

/// `connection.*`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The socket cookie: the same on connect and connect-result.
    pub id: u64,
}

/// `error.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// Name of the errno: `ECONNREFUSED`.
    pub code: String,
}
