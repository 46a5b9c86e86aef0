//! Names of users, groups and capabilities.

use std::fs;

/// The name of a user in /etc/passwd.
pub fn user(uid: u32) -> Option<String> {
    name_of("/etc/passwd", uid)
}

/// The name of a group in /etc/group.
pub fn group(gid: u32) -> Option<String> {
    name_of("/etc/group", gid)
}

/// Both databases have the name in field 1 and the number in field 3; the first line wins.
fn name_of(database: &str, id: u32) -> Option<String> {
    let text = fs::read_to_string(database).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

/// The names of the bits of a `Cap…` line of /proc/PID/status, in the order of their numbers.
pub fn capabilities(set: u64) -> Vec<String> {
    CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(number, _)| set >> number & 1 == 1)
        .map(|(_, name)| format!("CAP_{name}"))
        .collect()
}

/// capabilities(7), by number.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    use super::capabilities;

    #[test]
    fn bits_become_names_in_the_order_of_their_numbers() {
        assert_eq!(capabilities(1 << 12 | 1), ["CAP_CHOWN", "CAP_NET_ADMIN"]);
    }
}
