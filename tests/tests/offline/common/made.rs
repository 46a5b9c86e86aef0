//! Records made by hand, as the kernel side would send them.

use collector_common::{
    COMM_LEN, ConnectRecord, ConnectResultRecord, Credentials, Endpoints, ExecRecord, ExitRecord,
    FAMILY_IPV4, FileIdentity, Kind, NamespaceIds, PROTOCOL_TCP, Piece, RecordHeader, TaskIdentity,
    TaskRecord, TaskState, WIRE_VERSION,
};
use zerocopy::{FromZeros, IntoBytes};

/// The id of pid 1, which has no parent.
pub(crate) const INIT: u32 = 1;
/// When pid 1 began, in nanoseconds since boot.
pub(crate) const INIT_START_NS: u64 = 20_000_000;

/// A process, and its records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// What its records say of it.
    pub(crate) task: TaskIdentity,
}

/// The bytes that an exec carries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pieces<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) cwd: &'a [u8],
    pub(crate) script: &'a [u8],
    pub(crate) args: &'a [u8],
    pub(crate) env: &'a [u8],
}

impl Made {
    /// A child of pid 1 that began at this time.
    pub(crate) fn new(tgid: u32, start_ns: u64) -> Self {
        let state = TaskState {
            start_ns,
            parent_start_ns: INIT_START_NS,
            tgid,
            tid: tgid,
            parent_tgid: INIT,
            flags: 0,
            credentials: Credentials::default(),
            comm: comm("made"),
            cgroup_id: 77,
            session: tgid,
            pgrp: tgid,
            net_namespace: 4_026_531_840,
            ..TaskState::default()
        };
        let namespaces = NamespaceIds {
            mnt: 4_026_531_832,
            pid: 4_026_531_836,
            user: 4_026_531_837,
            uts: 4_026_531_838,
            ipc: 4_026_531_839,
            cgroup: 4_026_531_835,
        };
        let task = TaskIdentity {
            state,
            vpid: tgid,
            login_uid: u32::MAX,
            audit_session: u32::MAX,
            namespaces,
            ..TaskIdentity::default()
        };
        Self { task }
    }

    /// Pid 1.
    pub(crate) fn init() -> Self {
        let mut init = Self::new(INIT, INIT_START_NS);
        (init.task.state.parent_tgid, init.task.state.parent_start_ns) = (0, 0);
        init.named("init")
    }

    /// The same with another parent.
    pub(crate) fn below(mut self, parent: &Self) -> Self {
        let above = parent.task.state;
        (self.task.state.parent_tgid, self.task.state.parent_start_ns) = (above.tgid, above.start_ns);
        self
    }

    /// The same with another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.task.state.comm = comm(name);
        self
    }

    /// The record of its fork, or of its being found (`Kind::Task`).
    pub(crate) fn task_record(&self, kind: Kind, time_ns: u64) -> Vec<u8> {
        let header = header(kind, size_of::<TaskRecord>(), time_ns);
        let state = &self.task.state;
        // An ordinary fork: by the parent.
        let forker = if kind == Kind::Fork { (state.parent_tgid, state.parent_start_ns) } else { (0, 0) };
        let record = TaskRecord {
            header,
            task: self.task,
            forker_start_ns: forker.1,
            forker_tgid: forker.0,
            reserved: 0,
        };
        record.as_bytes().to_vec()
    }

    /// Of its fork, at its start.
    pub(crate) fn fork(&self) -> Vec<u8> {
        self.task_record(Kind::Fork, self.task.state.start_ns)
    }

    /// Of its being found by the start-up scan.
    pub(crate) fn found(&self) -> Vec<u8> {
        self.task_record(Kind::Task, 1_000_000_000_000)
    }

    /// The fixed part of an exec with these pieces, all of them whole.
    pub(crate) fn exec_fixed(&self, time_ns: u64, pieces: &Pieces<'_>) -> ExecRecord {
        let whole = |bytes: &[u8]| {
            let len = u32::try_from(bytes.len()).unwrap();
            Piece { len, full: len }
        };
        let Pieces { path, cwd, script, args, env } = *pieces;
        let len = [path, cwd, script, args, env].concat().len();
        ExecRecord {
            header: header(Kind::Exec, size_of::<ExecRecord>() + len, time_ns),
            task: self.task,
            exe: FileIdentity { inode: 4711, size: 10, links: 1, mode: 0o100_755, ..FileIdentity::default() },
            path: whole(path),
            cwd: whole(cwd),
            script: whole(script),
            args: whole(args),
            env: whole(env),
        }
    }

    /// Of an exec.
    pub(crate) fn exec(&self, time_ns: u64, pieces: &Pieces<'_>) -> Vec<u8> {
        with_pieces(&self.exec_fixed(time_ns, pieces), pieces)
    }

    /// Of its end with this status. Pid 1 takes over its children.
    pub(crate) fn exit(&self, time_ns: u64, exit_code: u32) -> Vec<u8> {
        self.exit_to(&Self::init(), time_ns, exit_code)
    }

    /// Of its end with this status, where `reaper` takes over its children.
    pub(crate) fn exit_to(&self, reaper: &Self, time_ns: u64, exit_code: u32) -> Vec<u8> {
        let mut exit = ExitRecord::new_zeroed();
        exit.header = header(Kind::Exit, size_of::<ExitRecord>(), time_ns);
        exit.task = self.task.state;
        exit.exit_code = exit_code;
        (exit.reaper_tgid, exit.reaper_start_ns) = (reaper.task.state.tgid, reaper.task.state.start_ns);
        exit.as_bytes().to_vec()
    }

    /// Of a TCP connect from 127.0.0.1:1024 to 127.0.0.1:80.
    pub(crate) fn connect(&self, time_ns: u64, cookie: u64) -> Vec<u8> {
        let mut connect = ConnectRecord::new_zeroed();
        connect.header = header(Kind::Connect, size_of::<ConnectRecord>(), time_ns);
        connect.task = self.task.state;
        connect.endpoints = endpoints();
        connect.cookie = cookie;
        connect.as_bytes().to_vec()
    }

    /// Of the end of that connect; an errno of 0 is a success.
    pub(crate) fn connect_result(&self, time_ns: u64, cookie: u64, error: u32) -> Vec<u8> {
        let mut result = ConnectResultRecord::new_zeroed();
        result.header = header(Kind::ConnectResult, size_of::<ConnectResultRecord>(), time_ns);
        result.task = self.task.state;
        result.endpoints = endpoints();
        result.cookie = cookie;
        result.begun_ns = time_ns - 1000;
        result.error = error;
        result.established = u32::from(error == 0);
        result.as_bytes().to_vec()
    }
}

/// An exec's fixed part and its pieces.
pub(crate) fn with_pieces(fixed: &ExecRecord, pieces: &Pieces<'_>) -> Vec<u8> {
    [fixed.as_bytes(), pieces.path, pieces.cwd, pieces.script, pieces.args, pieces.env].concat()
}

/// The head of a record.
pub(crate) fn header(kind: Kind, len: usize, time_ns: u64) -> RecordHeader {
    RecordHeader {
        version: WIRE_VERSION,
        kind: kind.to_wire(),
        len: u32::try_from(len).unwrap(),
        time_ns,
        cpu: 0,
        fate: 0,
        cgroups: 0,
    }
}

fn comm(name: &str) -> [u8; COMM_LEN] {
    let mut comm = [0; COMM_LEN];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

fn endpoints() -> Endpoints {
    let mut loopback = [0; 16];
    loopback[..4].copy_from_slice(&[127, 0, 0, 1]);
    Endpoints {
        source: loopback,
        destination: loopback,
        source_port: 1024,
        destination_port: 80,
        family: FAMILY_IPV4,
        protocol: PROTOCOL_TCP,
    }
}
