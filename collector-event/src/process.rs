//! `process.*` and `container.*`

use std::{borrow::Cow, sync::Arc};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EntityId, ExecId, Shared, Strings, Timestamp};

/// Declares structs whose fields are all optional and absent when they are `None`.
macro_rules! optional_fields {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        $(#[$meta])*
        #[cfg_attr(not(feature = "construct"), non_exhaustive)]
        pub struct $name {
            $($(#[$field_meta])*
            #[serde(skip_serializing_if = "Option::is_none", default)]
            pub $field: Option<$type>,)*
        }
    )*};
}

optional_fields! {
    /// `process.*`
    ///
    /// A field that is not known, or does not apply, is absent. The flags, such as [`is_kernel`](Process::is_kernel), are written
    /// only where they are true: `Some(true)` or absent.
    ///
    /// ```
    /// use collector_event::Process;
    ///
    /// let process: Process = serde_json::from_str(r#"{"pid":7,"args":["ls","-l"],"user":{"id":"0","name":"root"}}"#)?;
    /// let arguments = process.args.unwrap_or_default();
    /// assert_eq!(arguments.iter().collect::<Vec<_>>(), ["ls", "-l"]);
    /// assert_eq!(process.user.as_ref().and_then(|user| user.name.as_deref()), Some("root"));
    /// assert!(!process.is_kernel.unwrap_or_default());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    // The example is not part of the schema.
    #[cfg_attr(feature = "schema", schemars(description = "`process.*`"))]
    pub struct Process {
        /// Thread-group id in the host's PID namespace.
        pid: u32,
        /// The same in the innermost namespace, where it differs.
        vpid: u32,
        /// OCSF Common Process Identifier: one for the life of a process.
        entity_id: EntityId,
        /// One for each image the process has run.
        exec_id: ExecId,
        /// Start of the process.
        start: Timestamp,
        /// End of the process; exit only.
        end: Timestamp,
        /// Whole seconds lived; exit only.
        uptime: u64,
        /// The kernel's name for the task.
        comm: Arc<str>,
        /// Last part of the executable.
        name: Arc<str>,
        /// Absolute path of the running image.
        executable: Arc<str>,
        /// Identity of that file.
        exe: Shared<Exe>,
        /// Path of the script that the interpreter runs.
        script: Arc<str>,
        /// argv, exact.
        args: Strings,
        /// How many arguments there are.
        args_count: u64,
        /// The arguments joined by spaces, quoted as a shell would read them.
        command_line: Arc<str>,
        /// Working directory.
        working_directory: Arc<str>,
        /// `KEY=value`, in order.
        env_vars: Shared<Strings>,
        /// Effective user.
        user: Shared<User>,
        /// Real user.
        real_user: Shared<User>,
        /// Saved user.
        saved_user: Shared<User>,
        /// Effective group.
        group: Shared<Group>,
        /// Real group.
        real_group: Shared<Group>,
        /// Saved group.
        saved_group: Shared<Group>,
        /// User for access to files, when it differs from the effective one.
        fs_user: Shared<User>,
        /// Group for access to files, when it differs from the effective one.
        fs_group: Shared<Group>,
        /// The thread that did it.
        thread: Thread,
        /// Login of the audit subsystem.
        audit: Audit,
        /// Its namespaces.
        namespaces: Shared<Namespaces>,
        /// Its cgroup.
        cgroup: Shared<Cgroup>,
        /// Its controlling terminal.
        tty: Tty,
        /// Leader of its session.
        session_leader: Leader,
        /// Leader of its process group.
        group_leader: Leader,
        /// A kernel task: true or absent.
        is_kernel: bool,
        /// A program that the kernel itself started: true or absent.
        usermode_helper: bool,
        /// Digests of the running image.
        hash: Shared<Hashes>,
        /// Source of the digests.
        hash_source: HashSource,
        /// The real parent at the event.
        parent: Shared<Parent>,
        /// Nearest first, from the parent up.
        ancestors: Shared<Vec<Shared<Ancestor>>>,
        /// The code given to exit(2); exit only, absent when killed.
        exit_code: u32,
        /// How it was killed; exit only.
        exit: Exit,
        /// What it used; exit only.
        usage: Usage,
    }

    /// `process.user.*` and the like.
    pub struct User {
        /// Number, in the host's user namespace.
        id: Arc<str>,
        /// Name.
        name: Arc<str>,
    }

    /// `process.group.*` and the like.
    pub struct Group {
        /// Number, in the host's user namespace.
        id: Arc<str>,
        /// Name.
        name: Arc<str>,
    }

    /// `process.thread.*`
    pub struct Thread {
        /// Thread id in the host's PID namespace.
        id: u32,
        /// Its capabilities.
        capabilities: Shared<Capabilities>,
    }

    /// `process.audit.*`
    pub struct Audit {
        /// The user who logged in.
        login_uid: u32,
        /// The session of that login.
        session: u32,
    }

    /// `process.namespaces.*`: inode numbers.
    pub struct Namespaces {
        /// Mounts.
        mnt: u32,
        /// Processes.
        pid: u32,
        /// Network.
        net: u32,
        /// Users.
        user: u32,
        /// Host name.
        uts: u32,
        /// System V IPC and message queues.
        ipc: u32,
        /// Cgroups.
        cgroup: u32,
    }

    /// `process.cgroup.*`
    pub struct Cgroup {
        /// Id in the v2 hierarchy: the inode number of its directory.
        id: u64,
        /// Path below the root of the v2 hierarchy.
        path: Arc<str>,
    }

    /// `process.tty.*`
    pub struct Tty {
        /// The device.
        char_device: CharDevice,
    }

    /// `process.parent.*`
    pub struct Parent {
        /// Thread-group id.
        pid: u32,
        /// One for its life.
        entity_id: EntityId,
        /// One for its image.
        exec_id: ExecId,
        /// Last part of the executable.
        name: Arc<str>,
        /// The kernel's name for it.
        comm: Arc<str>,
        /// Absolute path of its image.
        executable: Arc<str>,
        /// Its arguments.
        args: Strings,
        /// Its start.
        start: Timestamp,
    }

    /// `process.ancestors[]`
    pub struct Ancestor {
        /// Thread-group id.
        pid: u32,
        /// One for its life.
        entity_id: EntityId,
        /// The kernel's name for it.
        comm: Arc<str>,
        /// Absolute path of its image.
        executable: Arc<str>,
        /// Its start.
        start: Timestamp,
    }

    /// `process.hash.*`: lower-case hex.
    pub struct Hashes {
        /// 32 digits.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[0-9a-f]{32}$")))]
        md5: String,
        /// 40 digits.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[0-9a-f]{40}$")))]
        sha1: String,
        /// 64 digits.
        #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[0-9a-f]{64}$")))]
        sha256: String,
    }

    /// `process.exe.*`: identity of the image's file.
    pub struct Exe {
        /// `major:minor`.
        device: String,
        /// Inode number.
        inode: u64,
        /// Bytes.
        size: u64,
        /// Change time.
        ctime: Timestamp,
        /// Permissions in octal, as ls(1) has them: `0755`.
        mode: String,
        /// Owner.
        uid: u32,
        /// Hard links.
        links: u32,
        /// Its name was deleted: true or absent.
        deleted: bool,
        /// Was made by `memfd_create(2)`: true or absent.
        memfd: bool,
        /// Runs as its owner: true or absent.
        setuid: bool,
        /// Runs with its group: true or absent.
        setgid: bool,
    }

    /// `process.exit.*`
    pub struct Exit {
        /// Number of the signal that killed it.
        signal: u32,
        /// Its name.
        signal_name: String,
        /// Whether it left a core dump.
        core_dumped: bool,
    }

    /// `process.usage.*`: of all threads.
    pub struct Usage {
        /// CPU time in user mode.
        user_ns: u64,
        /// CPU time in the kernel.
        system_ns: u64,
        /// Peak of resident memory.
        max_rss_bytes: u64,
    }

    /// `container.*`
    pub struct Container {
        /// The runtime's id of it.
        id: Arc<str>,
        /// The runtime, from the name of the cgroup.
        runtime: Arc<str>,
    }
}

/// `process.thread.capabilities.*`: `CAP_…`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Capabilities {
    /// In force.
    pub effective: Vec<Cow<'static, str>>,
    /// Available to it.
    pub permitted: Vec<Cow<'static, str>>,
}

/// `process.tty.char_device.*`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct CharDevice {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// `process.session_leader.*`, `process.group_leader.*`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub struct Leader {
    /// Thread-group id.
    pub pid: u32,
}

/// `process.hash_source`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(feature = "construct"), non_exhaustive)]
pub enum HashSource {
    /// The running image, through /proc/PID/exe.
    Exe,
    /// The same file by its path, proved by device, inode and ctime.
    Path,
    /// The whole image, read from memory.
    Memory,
    /// A source that this version does not know.
    #[serde(other)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    Unknown,
}
