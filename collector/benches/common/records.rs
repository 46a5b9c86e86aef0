//! Records of the processes of a build, as the kernel side would send them.

use collector::source::OwnedRecord;
use collector_common::{
    COMM_LEN, Credentials, ExecRecord, ExitRecord, FileIdentity, Kind, NamespaceIds, Piece, RecordHeader,
    TaskIdentity, TaskRecord, TaskState, WIRE_VERSION,
};
use zerocopy::{FromZeros, IntoBytes};

/// When the first process starts, in nanoseconds since boot.
const BEGIN_NS: u64 = 20_000_000;
/// Nanoseconds between two records.
const STEP_NS: u64 = 20_000;
/// The ancestors of every process in a build.
const ABOVE: [(&str, &str); 5] = [
    ("systemd", "/usr/lib/systemd/systemd"),
    ("sshd", "/usr/sbin/sshd"),
    ("bash", "/usr/bin/bash"),
    ("make", "/usr/bin/make"),
    ("sh", "/usr/bin/dash"),
];
const PATH: &str = "/usr/bin/x86_64-linux-gnu-gcc-12";
const CWD: &str = "/home/user/project/src";

/// A process that the records are about.
#[derive(Clone, Copy)]
struct Life {
    tgid: u32,
    start_ns: u64,
    parent: (u32, u64),
}

/// The records of the common ancestors: a fork and an exec of each.
pub(crate) fn above() -> Vec<OwnedRecord> {
    let mut records = Vec::new();
    for (depth, (name, path)) in ABOVE.iter().enumerate() {
        let life = ancestor(depth);
        records.push(fork(life, name));
        records.push(exec(life, name, path, &["-x", name], life.start_ns + STEP_NS));
    }
    records
}

/// Fork, exec and exit of `count` compilers, one after the other.
pub(crate) fn lives(count: u32) -> Vec<OwnedRecord> {
    (0..count).flat_map(|number| [forked(number), compiler(number), exited(number)]).collect()
}

/// Only exec records, of `count` processes that run until the recording ends.
pub(crate) fn execs(count: u32) -> Vec<OwnedRecord> {
    (0..count).map(compiler).collect()
}

/// The fork of a compiler.
pub(crate) fn forked(number: u32) -> OwnedRecord {
    fork(life(number), "sh")
}

/// The exec of a compiler, with arguments of its own.
pub(crate) fn compiler(number: u32) -> OwnedRecord {
    let life = life(number);
    let source = format!("file_{number}.c");
    let object = format!("build/file_{number}.o");
    let args = ["gcc", "-O2", "-Wall", "-Iinclude", "-DNDEBUG", "-c", &source, "-o", &object];
    exec(life, "gcc", PATH, &args, life.start_ns + STEP_NS)
}

fn exited(number: u32) -> OwnedRecord {
    let life = life(number);
    let mut exit = ExitRecord::new_zeroed();
    exit.header = header(Kind::Exit, size_of::<ExitRecord>(), life.start_ns + 2 * STEP_NS);
    exit.task = task(life, "gcc").state;
    (exit.reaper_tgid, exit.reaper_start_ns) = life.parent;
    OwnedRecord::copy(exit.as_bytes())
}

fn ancestor(depth: usize) -> Life {
    let number = u32::try_from(depth).unwrap();
    let at = |number: u32| (number + 1, BEGIN_NS + u64::from(number) * STEP_NS);
    let (tgid, start_ns) = at(number);
    Life { tgid, start_ns, parent: number.checked_sub(1).map_or((0, 0), at) }
}

fn life(number: u32) -> Life {
    let above = ancestor(ABOVE.len() - 1);
    let start_ns = BEGIN_NS + u64::from(1000 + 3 * number) * STEP_NS;
    Life { tgid: 1000 + number, start_ns, parent: (above.tgid, above.start_ns) }
}

fn fork(life: Life, name: &str) -> OwnedRecord {
    let record = TaskRecord {
        header: header(Kind::Fork, size_of::<TaskRecord>(), life.start_ns),
        task: task(life, name),
        forker_start_ns: life.parent.1,
        forker_tgid: life.parent.0,
        reserved: 0,
    };
    OwnedRecord::copy(record.as_bytes())
}

fn exec(life: Life, name: &str, path: &str, args: &[&str], time_ns: u64) -> OwnedRecord {
    let args = nul_terminated(args.iter().map(ToString::to_string));
    let env = environment();
    let pieces = [path.as_bytes(), CWD.as_bytes(), b"", &args, &env];
    let behind = pieces.concat();
    let [path, cwd, script, args, env] = pieces.map(|bytes| {
        let len = u32::try_from(bytes.len()).unwrap();
        Piece { len, full: len }
    });
    let fixed = ExecRecord {
        header: header(Kind::Exec, size_of::<ExecRecord>() + behind.len(), time_ns),
        task: task(life, name),
        exe: FileIdentity {
            inode: 4711,
            size: 1_000_000,
            links: 1,
            mode: 0o100_755,
            ..FileIdentity::default()
        },
        path,
        cwd,
        script,
        args,
        env,
    };
    OwnedRecord::copy(&[fixed.as_bytes(), &behind].concat())
}

/// As a login shell passes it on: 25 variables, about 1,100 bytes.
fn environment() -> Vec<u8> {
    let common = [
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/games",
        "HOME=/home/user",
        "SHELL=/bin/bash",
        "LANG=C.UTF-8",
    ];
    let more = (common.len()..25).map(|number| format!("VARIABLE_{number}=some value of it, not short"));
    nul_terminated(common.iter().map(ToString::to_string).chain(more))
}

fn nul_terminated(words: impl Iterator<Item = String>) -> Vec<u8> {
    words.flat_map(|word| (word + "\0").into_bytes()).collect()
}

fn task(life: Life, name: &str) -> TaskIdentity {
    let mut comm = [0; COMM_LEN];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    let state = TaskState {
        start_ns: life.start_ns,
        parent_start_ns: life.parent.1,
        tgid: life.tgid,
        tid: life.tgid,
        parent_tgid: life.parent.0,
        credentials: Credentials::default(),
        comm,
        cgroup_id: 77,
        session: 3,
        pgrp: 4,
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
    TaskIdentity {
        state,
        vpid: life.tgid,
        login_uid: u32::MAX,
        audit_session: u32::MAX,
        namespaces,
        ..TaskIdentity::default()
    }
}

fn header(kind: Kind, len: usize, time_ns: u64) -> RecordHeader {
    let len = u32::try_from(len).unwrap();
    RecordHeader { version: WIRE_VERSION, kind: kind.to_wire(), len, time_ns, cpu: 0, fate: 0, cgroups: 0 }
}
