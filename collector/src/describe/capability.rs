//! Names of capabilities: `include/uapi/linux/capability.h`.

use std::borrow::Cow;

/// Names by number.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Names of the capabilities in a set, in the order of their numbers. One that is newer than this table gets a name made of
/// its number: `CAP_41`.
#[must_use]
pub(crate) fn capability_names(set: u64) -> Vec<Cow<'static, str>> {
    (0..u64::BITS)
        .filter(|bit| set & (1 << bit) != 0)
        .map(|bit| {
            let name = usize::try_from(bit).ok().and_then(|bit| NAMES.get(bit));
            name.map_or_else(|| format!("CAP_{bit}").into(), |&name| name.into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::capability_names;

    #[test]
    fn capabilities_are_named_by_their_bits() {
        assert_eq!(capability_names((1 << 12) | (1 << 21)), ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]);
    }

    #[test]
    fn a_capability_of_a_newer_kernel_is_named_by_its_number() {
        assert_eq!(capability_names(1 << 60), ["CAP_60"]);
    }

    #[test]
    fn the_last_name_has_the_number_of_the_header() {
        assert_eq!(capability_names(1 << 40), ["CAP_CHECKPOINT_RESTORE"]);
    }
}
