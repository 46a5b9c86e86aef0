//! The fields of connections.

use std::net::IpAddr;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address in the JSON Schema.
#[cfg(feature = "schema")]
#[derive(JsonSchema)]
#[schemars(extend("type" = "string", "anyOf" = [{ "format": "ipv4" }, { "format": "ipv6" }]))]
#[expect(dead_code, reason = "only its schema is used")]
struct Address(String);

/// `source.*` and `destination.*`
///
/// ```
/// use collector_event::Endpoint;
///
/// let endpoint: Endpoint = serde_json::from_str(r#"{"ip":"192.0.2.1","port":443}"#)?;
/// assert!(endpoint.ip.is_some_and(|ip| ip.is_ipv4()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
// The example is not part of the schema.
#[cfg_attr(feature = "schema", schemars(description = "`source.*` and `destination.*`"))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Endpoint {
    /// The address; of an IPv4-mapped IPv6 address, the IPv4 one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Address>"))]
    pub ip: Option<IpAddr>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub port: Option<u16>,
}

/// `network.transport`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum Transport {
    Tcp,
    Udp,
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// `network.type`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum NetworkType {
    Ipv4,
    Ipv6,
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// `network.direction`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "ECS names them")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum Direction {
    Egress,
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}

/// `network.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Network {
    /// The protocol.
    pub transport: Transport,
    /// The address family on the wire.
    #[serde(rename = "type")]
    pub network_type: NetworkType,
    /// Always `egress`: from this machine outwards.
    pub direction: Direction,
    /// Community ID, version 1, seed 0; absent unless both ends are known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub community_id: Option<String>,
    /// The kernel itself opened it, without a process: true or absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel_connection: Option<bool>,
}

/// `connection.*`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Connection {
    /// The socket cookie: the same on connect and connect-result.
    pub id: u64,
}

/// `error.*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Error {
    /// Name of the errno: `ECONNREFUSED`.
    pub code: String,
}
