//! The OCSF Common Process Identifier, computed anew from its specification.

use sha2::{Digest, Sha256};

/// What distinguishes a process.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// `/proc/sys/kernel/random/boot_id`, in the byte order of RFC 9562.
    pub boot: [u8; 16],
    /// Inode number of /proc/PID/ns/pid.
    pub pid_namespace: u64,
    /// Field 22 of /proc/PID/stat.
    pub start_ticks: u64,
    /// Thread-group id in the innermost PID namespace.
    pub innermost_tgid: u64,
}

/// A version 8 UUID from the first 16 bytes of a SHA-256 over boot id and three little-endian numbers.
pub fn cpid(identity: &Identity) -> String {
    let mut hash = Sha256::new();
    hash.update(identity.boot);
    for number in [identity.pid_namespace, identity.start_ticks, identity.innermost_tgid] {
        hash.update(number.to_le_bytes());
    }
    let digest = hash.finalize();
    let mut id: [u8; 16] = digest[..16].try_into().unwrap();
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    let hex = crate::truth::files::hex(&id);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The 16 bytes of a UUID's text.
pub fn uuid_bytes(text: &str) -> [u8; 16] {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    bytes.try_into().unwrap_or_else(|_| panic!("{text:?} is not a UUID"))
}

#[cfg(test)]
mod tests {
    use super::{Identity, cpid, uuid_bytes};

    #[test]
    fn the_specification_s_own_example_comes_out() {
        let identity = Identity {
            boot: uuid_bytes("2899dae4-4fa4-4eef-95b6-6bc95325f61a"),
            pid_namespace: 4_026_532_263,
            start_ticks: 55_558,
            innermost_tgid: 29,
        };
        assert_eq!(cpid(&identity), "b770a0ed-8463-822c-b5f6-30d9081ddbd9");
    }
}
