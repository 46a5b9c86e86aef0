//! What /proc shows of a process that neither a record nor the start-up scan reported.
//!
//! Some kernels hide processes from the iterator (a hardened pid 1), some have no iterator, and records may be lost.

use collector_common::{COMM_LEN, Credentials, NamespaceIds, TaskIdentity, TaskState};
use procfs::{FromRead as _, process::Status};

use crate::{
    fact::Reason,
    process::ProcessKey,
    procfs::{Namespace, ProcFile, ProcessDir, ReadError, Stat},
};

/// Most bytes of stat and status that are read.
const MAX: usize = 64 << 10;

/// Namespaces of a process that could not be read, and why.
pub(crate) type Unread = Vec<(Namespace, Reason)>;

/// A process in the form that the kernel side sends. Its start is that of `key`, which is exact. /proc has only the parent's
/// id; the caller adds the parent's start.
pub(super) fn identity(process: &ProcessDir, key: ProcessKey) -> Result<(TaskIdentity, Unread), ReadError> {
    let mut unread = Unread::new();
    let mut inode = |namespace| {
        process.namespace(namespace).unwrap_or_else(|error| {
            unread.push((namespace, error.into()));
            // As the kernel side sends it where there is no such namespace.
            0
        })
    };
    let mut bytes = Vec::new();
    process.read_into(ProcFile::Stat, &mut bytes, MAX)?;
    let malformed = |file| ReadError::Malformed { tgid: process.tgid(), file };
    let stat = Stat::parse(&bytes).ok_or(malformed("stat"))?;
    let mut state = TaskState {
        start_ns: key.start.0,
        parent_start_ns: 0,
        tgid: key.tgid.0,
        tid: key.tgid.0,
        parent_tgid: stat.ppid,
        flags: stat.flags,
        credentials: Credentials::default(),
        comm: comm(stat.comm),
        session: u32::try_from(stat.session).unwrap_or(u32::MAX),
        pgrp: u32::try_from(stat.pgrp).unwrap_or(u32::MAX),
        tty: device(stat.tty_nr),
        net_namespace: inode(Namespace::Net),
        ..TaskState::default()
    };
    let mut identity = TaskIdentity {
        login_uid: u32::MAX,
        audit_session: u32::MAX,
        vpid: key.tgid.0,
        ..TaskIdentity::default()
    };
    let mut bytes = Vec::new();
    process.read_into(ProcFile::Status, &mut bytes, MAX)?;
    // The name may be any bytes; stat has it already.
    let status =
        Status::from_read(String::from_utf8_lossy(&bytes).as_bytes()).map_err(|_| malformed("status"))?;
    state.credentials = Credentials {
        uid: status.ruid,
        gid: status.rgid,
        suid: status.suid,
        sgid: status.sgid,
        euid: status.euid,
        egid: status.egid,
        fsuid: status.fuid,
        fsgid: status.fgid,
    };
    state.cap_effective = status.capeff;
    state.cap_permitted = status.capprm;
    if let Some(innermost) = status.nstgid.as_ref().and_then(|tgids| tgids.last()) {
        identity.vpid = u32::try_from(*innermost).unwrap_or(key.tgid.0);
    }
    identity.namespaces = NamespaceIds {
        mnt: inode(Namespace::Mnt),
        pid: inode(Namespace::Pid),
        user: inode(Namespace::User),
        uts: inode(Namespace::Uts),
        ipc: inode(Namespace::Ipc),
        cgroup: inode(Namespace::Cgroup),
    };
    identity.state = state;
    Ok((identity, unread))
}

fn comm(name: &[u8]) -> [u8; COMM_LEN] {
    let mut comm = [0; COMM_LEN];
    // One byte stays for the NUL: stat shows longer names for workers of the kernel.
    comm.iter_mut().take(COMM_LEN - 1).zip(name).for_each(|(to, from)| *to = *from);
    comm
}

/// proc(5): the minor number is in bits 31 to 20 and 7 to 0, the major in bits 15 to 8.
fn device(tty_nr: i32) -> u32 {
    let number = tty_nr.cast_unsigned();
    let (major, minor) = ((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00));
    (major << 20) | minor
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn a_terminal_of_stat_has_the_kernels_device_number() {
        // /dev/pts/3 is 136:3.
        assert_eq!(device(0x8803), (136 << 20) | 3);
    }
}
