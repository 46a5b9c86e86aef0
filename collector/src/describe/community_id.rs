//! Community ID, version 1: a name of a flow that other tools compute the same way.
//!
//! Specification: <https://github.com/corelight/community-id-spec>.

use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    /// The address. Both ends have one family.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

/// The id of a flow between two ends, in either order, with the seed 0.
#[must_use]
pub(super) fn community_id(one: End, other: End, protocol: u8) -> String {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let mut hasher = Sha1::new();
    hasher.update([0, 0]);
    update(&mut hasher, low.ip);
    update(&mut hasher, high.ip);
    hasher.update([protocol, 0]);
    hasher.update(low.port.to_be_bytes());
    hasher.update(high.port.to_be_bytes());
    format!("1:{}", BASE64_STANDARD.encode(hasher.finalize()))
}

fn update(hasher: &mut Sha1, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => hasher.update(ip.octets()),
        IpAddr::V6(ip) => hasher.update(ip.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::{End, community_id};

    #[track_caller]
    fn check(one: (&str, u16), other: (&str, u16), protocol: u8, expected: &str) {
        let [one, other] = [one, other].map(|(ip, port)| End { ip: ip.parse().unwrap(), port });
        assert_eq!(community_id(one, other, protocol), expected);
        assert_eq!(community_id(other, one, protocol), expected, "either order");
    }

    #[test]
    fn the_ids_are_those_of_the_specifications_baseline() {
        check(("128.232.110.120", 34855), ("66.35.250.204", 80), 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        check(("192.168.1.52", 54585), ("8.8.8.8", 53), 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
    }
}
