//! Every field of a kernel structure that the programs read. The loader finds each in the running kernel's BTF.
//!
//! Rust emits no CO-RE relocations. So the loader looks up each row of this table and passes the results to the
//! programs as read-only data, which the verifier treats as constants.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Value of a field that the running kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Bytes from the start of the outer structure.
    Offset,
    /// Bits from the start of the outer structure, of a bit field.
    BitOffset,
    /// The size of a type in bytes.
    Size,
    /// How many arguments a BTF tracepoint gives.
    Arguments,
}

/// The consequence of a missing field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The agent cannot run.
    Required,
    /// The agent runs without the named feature, and `doctor` and `agent-start` report that.
    Feature(&'static str),
    /// Another row, or another way, replaces it.
    Fallback,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name of the row.
    pub name: &'static str,
    /// Where it is: `struct.member.member`, with alternatives for other kernels behind `|`.
    pub path: &'static str,
    /// What is looked up.
    pub kind: FieldKind,
    /// The consequence if it is missing.
    pub need: Need,
}

macro_rules! offsets {
    ($($name:ident: $kind:ident $path:literal $need:expr;)*) => {
        /// The results, one for each row of [`Offsets::FIELDS`] and in that order.
        #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        #[expect(missing_docs, reason = "each row's path says what it is")]
        pub struct Offsets {
            $(pub $name: u32,)*
        }

        impl Offsets {
            /// The table.
            pub const FIELDS: &'static [Field] = &[$(Field {
                name: stringify!($name),
                path: $path,
                kind: FieldKind::$kind,
                need: $need,
            },)*];

            /// No field exists.
            pub const NONE: Self = Self { $($name: ABSENT,)* };
        }
    };
}

use Need::{Fallback, Feature, Required};

offsets! {
    task_tgid: Offset "task_struct.tgid" Required;
    task_pid: Offset "task_struct.pid" Required;
    task_flags: Offset "task_struct.flags" Required;
    task_comm: Offset "task_struct.comm" Required;
    task_cred: Offset "task_struct.cred" Required;
    task_mm: Offset "task_struct.mm" Required;
    task_fs: Offset "task_struct.fs" Required;
    task_signal: Offset "task_struct.signal" Required;
    task_nsproxy: Offset "task_struct.nsproxy" Required;
    task_cgroups: Offset "task_struct.cgroups" Required;
    task_real_parent: Offset "task_struct.real_parent" Required;
    task_group_leader: Offset "task_struct.group_leader" Required;
    task_thread_pid: Offset "task_struct.thread_pid" Required;
    task_start: Offset "task_struct.start_boottime|task_struct.real_start_time" Required;
    task_exit_code: Offset "task_struct.exit_code" Required;
    task_utime: Offset "task_struct.utime" Required;
    task_stime: Offset "task_struct.stime" Required;
    task_runtime: Offset "task_struct.se.sum_exec_runtime" Required;
    task_loginuid: Offset "task_struct.loginuid" Feature("login uid");
    task_sessionid: Offset "task_struct.sessionid" Feature("audit session");

    cred_uid: Offset "cred.uid" Required;
    cred_cap_effective: Offset "cred.cap_effective" Required;
    cred_cap_permitted: Offset "cred.cap_permitted" Required;
    cred_user_ns: Offset "cred.user_ns" Required;

    signal_live: Offset "signal_struct.live" Required;
    signal_flags: Offset "signal_struct.flags" Required;
    signal_group_exit_code: Offset "signal_struct.group_exit_code" Required;
    signal_utime: Offset "signal_struct.utime" Required;
    signal_stime: Offset "signal_struct.stime" Required;
    signal_runtime: Offset "signal_struct.sum_sched_runtime" Required;
    signal_maxrss: Offset "signal_struct.maxrss" Required;
    signal_pids: Offset "signal_struct.pids" Required;
    signal_tty: Offset "signal_struct.tty" Required;
    signal_is_child_subreaper: BitOffset "signal_struct.is_child_subreaper" Feature("subreapers");
    signal_has_child_subreaper: BitOffset "signal_struct.has_child_subreaper" Feature("subreapers");

    tty_driver: Offset "tty_struct.driver" Feature("controlling terminal");
    tty_index: Offset "tty_struct.index" Feature("controlling terminal");
    tty_driver_major: Offset "tty_driver.major" Feature("controlling terminal");
    tty_driver_minor_start: Offset "tty_driver.minor_start" Feature("controlling terminal");

    pid_level: Offset "pid.level" Required;
    pid_numbers: Offset "pid.numbers" Required;
    upid_size: Size "upid" Required;
    upid_nr: Offset "upid.nr" Required;
    upid_ns: Offset "upid.ns" Required;
    pid_namespace_inum: Offset "pid_namespace.ns.inum" Required;
    pid_namespace_child_reaper: Offset "pid_namespace.child_reaper" Required;

    nsproxy_uts: Offset "nsproxy.uts_ns" Required;
    nsproxy_ipc: Offset "nsproxy.ipc_ns" Required;
    nsproxy_mnt: Offset "nsproxy.mnt_ns" Required;
    nsproxy_net: Offset "nsproxy.net_ns" Required;
    nsproxy_cgroup: Offset "nsproxy.cgroup_ns" Required;
    uts_namespace_inum: Offset "uts_namespace.ns.inum" Required;
    ipc_namespace_inum: Offset "ipc_namespace.ns.inum" Feature("IPC namespace");
    mnt_namespace_inum: Offset "mnt_namespace.ns.inum" Required;
    net_inum: Offset "net.ns.inum" Required;
    cgroup_namespace_inum: Offset "cgroup_namespace.ns.inum" Feature("cgroup namespace");
    user_namespace_inum: Offset "user_namespace.ns.inum" Required;

    css_set_dfl_cgrp: Offset "css_set.dfl_cgrp" Required;
    cgroup_kn: Offset "cgroup.kn" Required;
    cgroup_root: Offset "cgroup.root" Required;
    cgroup_parent: Offset "cgroup.self.parent" Required;
    css_cgroup: Offset "cgroup_subsys_state.cgroup" Required;
    kernfs_node_id: Offset "kernfs_node.id" Required;

    mm_exe_file: Offset "mm_struct.exe_file" Required;
    mm_arg_start: Offset "mm_struct.arg_start" Required;
    mm_arg_end: Offset "mm_struct.arg_end" Required;
    mm_env_start: Offset "mm_struct.env_start" Required;
    mm_env_end: Offset "mm_struct.env_end" Required;

    binprm_filename: Offset "linux_binprm.filename" Required;
    binprm_interp: Offset "linux_binprm.interp" Required;

    file_path: Offset "file.f_path" Required;
    file_inode: Offset "file.f_inode" Required;
    fs_pwd: Offset "fs_struct.pwd" Required;
    path_mnt: Offset "path.mnt" Required;
    path_dentry: Offset "path.dentry" Required;
    dentry_parent: Offset "dentry.d_parent" Required;
    dentry_name: Offset "dentry.d_name.name" Required;
    dentry_len: Offset "dentry.d_name.len" Required;
    vfsmount_root: Offset "vfsmount.mnt_root" Required;
    mount_mnt: Offset "mount.mnt" Required;
    mount_parent: Offset "mount.mnt_parent" Required;
    mount_mountpoint: Offset "mount.mnt_mountpoint" Required;

    inode_ino: Offset "inode.i_ino" Required;
    inode_size: Offset "inode.i_size" Required;
    inode_mode: Offset "inode.i_mode" Required;
    inode_uid: Offset "inode.i_uid" Required;
    inode_generation: Offset "inode.i_generation" Fallback;
    inode_nlink: Offset "inode.i_nlink" Required;
    inode_sb: Offset "inode.i_sb" Required;
    super_dev: Offset "super_block.s_dev" Required;
    super_magic: Offset "super_block.s_magic" Required;
    super_user_ns: Offset "super_block.s_user_ns" Required;
    // The change time had three names: `i_ctime` until 6.5, `__i_ctime` until 6.10, then two fields.
    inode_ctime: Offset "inode.__i_ctime|inode.i_ctime" Fallback;
    inode_ctime_sec: Offset "inode.i_ctime_sec" Fallback;
    inode_ctime_nsec: Offset "inode.i_ctime_nsec" Fallback;

    sock_cookie: Offset "sock.__sk_common.skc_cookie" Required;
    sock_err: Offset "sock.sk_err" Required;

    // Since 6.16 the tracepoint has a second argument, which says whether the group is dead.
    exit_arguments: Arguments "sched_process_exit" Required;
}
