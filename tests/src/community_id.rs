//! Community ID, version 1, seed 0, computed anew from its specification.

use std::net::{IpAddr, SocketAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

/// The protocol number of TCP.
pub const TCP: u8 = 6;
/// The protocol number of UDP.
pub const UDP: u8 = 17;

/// The smaller end, by address and then port, goes first, so both directions have one id.
pub fn community_id(source: SocketAddr, destination: SocketAddr, protocol: u8) -> String {
    let (first, second) =
        if end(source) <= end(destination) { (source, destination) } else { (destination, source) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(end(first).0);
    hash.update(end(second).0);
    hash.update([protocol, 0]);
    hash.update(first.port().to_be_bytes());
    hash.update(second.port().to_be_bytes());
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

fn end(address: SocketAddr) -> (Vec<u8>, u16) {
    let bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    (bytes, address.port())
}

#[cfg(test)]
mod tests {
    use super::{TCP, community_id};

    #[test]
    fn the_specification_s_own_example_comes_out_in_both_directions() {
        let (a, b) = ("128.232.110.120:34855".parse().unwrap(), "66.35.250.204:80".parse().unwrap());
        assert_eq!(community_id(a, b, TCP), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(community_id(b, a, TCP), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    }
}
