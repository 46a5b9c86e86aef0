//! What holds for any bytes and any order: events survive being written and read, garbage is counted and no panic, and the
//! process table answers like one that never forgets.

use std::{collections::HashMap, fs, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use collector::{
    event::{Action, Capture, Event, Strings},
    process::{KernelTimeNs, Limits, ProcessKey, Table},
};
use collector_common::{ConnectRecord, ConnectResultRecord, ExecRecord, ExitRecord, Kind, TaskRecord};
use proptest::{collection::vec, prelude::*};
use zerocopy::IntoBytes;

use crate::common::{
    fake_proc::{FakeProc, Shown},
    made::{Made, Pieces, header, with_pieces},
    recording::Recording,
    stream::{check_counters, events_of, events_of_bytes, only},
};

const START_NS: u64 = 2_345_678_901;

/// Bytes as a process may have them in a string: all but NUL.
fn string() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=u8::MAX, 0..40)
}

/// An absolute path of such bytes.
fn path() -> impl Strategy<Value = Vec<u8>> {
    string().prop_map(|name| [b"/".as_slice(), &name].concat())
}

fn nul_ended(strings: &[Vec<u8>]) -> Vec<u8> {
    strings.iter().flat_map(|string| [string.as_slice(), b"\0"].concat()).collect()
}

/// The exact bytes of a value, by what is shown of it and what `capture` keeps.
fn exact(capture: &Capture, place: &str, shown: &str) -> Vec<u8> {
    capture
        .bytes
        .get(place)
        .map_or_else(|| shown.as_bytes().to_vec(), |text| BASE64_STANDARD.decode(text).unwrap())
}

fn exact_list(capture: &Capture, place: &str, shown: &Strings) -> Vec<Vec<u8>> {
    let places = shown.iter().enumerate();
    places.map(|(index, shown)| exact(capture, &format!("{place}[{index}]"), shown)).collect()
}

/// Fails where an event is another one after it was written and read.
fn check_round_trip(event: &Event) {
    let written = serde_json::to_vec(event).unwrap();
    assert!(!written.contains(&b'\n'), "an event is one line");
    assert_eq!(&serde_json::from_slice::<Event>(&written).unwrap(), event);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_exec_of_any_bytes_is_told_exactly_and_read_back(
        (path, cwd, comm) in (path(), path(), vec(any::<u8>(), 15)),
        args in vec(string(), 0..6),
        env in vec(string(), 0..6),
        time_ns in any::<u64>(),
        ctime_s in any::<i64>(),
        size in any::<u64>(),
    ) {
        let mut made = Made::new(100, START_NS);
        made.task.state.comm[..15].copy_from_slice(&comm);
        let (arg_bytes, env_bytes) = (nul_ended(&args), nul_ended(&env));
        let pieces = Pieces { path: &path, cwd: &cwd, script: b"", args: &arg_bytes, env: &env_bytes };
        let mut fixed = made.exec_fixed(time_ns, &pieces);
        (fixed.exe.ctime_s, fixed.exe.size) = (ctime_s, size);
        let events = events_of(&Recording::new().with(&with_pieces(&fixed, &pieces)), &FakeProc::new());
        events.iter().for_each(check_round_trip);
        let exec = only(&events, Action::Exec);
        let (process, capture) = (exec.process.as_ref().unwrap(), &exec.capture);
        let told = |place: &str, shown: &Option<Arc<str>>| exact(capture, place, shown.as_ref().unwrap());
        prop_assert_eq!(told("process.executable", &process.executable), path);
        prop_assert_eq!(told("process.working_directory", &process.working_directory), cwd);
        let comm = comm.split(|&byte| byte == 0).next().unwrap();
        prop_assert_eq!(told("process.comm", &process.comm), comm);
        prop_assert_eq!(exact_list(capture, "process.args", process.args.as_ref().unwrap()), args);
        prop_assert_eq!(exact_list(capture, "process.env_vars", process.env_vars.as_ref().unwrap()), env);
    }

    #[test]
    fn records_of_garbage_are_told_or_counted(bodies in vec((1_u16..=6, vec(any::<u8>(), 512)), 0..12)) {
        let mut recording = Recording::new();
        for (kind, body) in &bodies {
            recording.add(&garbage(Kind::from_wire(*kind).unwrap(), body));
        }
        let events = events_of(&recording, &FakeProc::new());
        check_counters(&events);
        events.iter().for_each(check_round_trip);
    }

    #[test]
    fn a_recording_of_any_bytes_ends_in_order(
        entries in vec(vec(any::<u8>(), 0..300), 1..20),
        behind in vec(any::<u8>(), 0..50),
    ) {
        let mut recording = Recording::new().bytes();
        recording.truncate(recording.iter().position(|&byte| byte == b'\n').unwrap() + 1);
        for entry in &entries {
            recording.extend(u32::try_from(entry.len()).unwrap().to_le_bytes());
            recording.extend(entry);
        }
        recording.extend(behind);
        let events = events_of_bytes(&recording, &FakeProc::new());
        prop_assert_eq!(events.last().unwrap().action(), Action::AgentStop);
        let lost: u64 = events.iter().filter_map(|event| event.loss.as_ref()).map(|loss| loss.count).sum();
        prop_assert!(lost >= u64::try_from(entries.len()).unwrap(), "no random bytes are a record");
    }

    #[test]
    fn any_change_of_stat_and_status_leaves_the_event(
        file in prop::sample::select(vec!["stat", "status", "ns/pid"]),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let proc = FakeProc::new();
        proc.add(&Shown {
            pid: 100,
            start_ns: START_NS,
            ppid: 1,
            flags: 0,
            comm: "app",
            args: &["app"],
            env: &[],
            cwd: "/",
        });
        let path = proc.of(100).join(file);
        let mut content = fs::read(&path).unwrap_or_else(|_| b"pid:[4026531836]".to_vec());
        for (place, byte) in changes {
            let place = place.index(content.len());
            content[place] = byte;
        }
        content.truncate(cut.index(content.len() * 2).min(content.len()));
        fs::remove_file(&path).unwrap();
        fs::write(&path, content).unwrap();
        let recording = Recording::new().with(&Made::new(100, START_NS).connect(3_000_000_000, 7));
        let events = events_of(&recording, &proc);
        check_counters(&events);
        prop_assert_eq!(only(&events, Action::Connect).process.as_ref().unwrap().pid, Some(100));
    }
}

/// A record of this kind whose body is garbage and whose head and lengths are right.
fn garbage(kind: Kind, body: &[u8]) -> Vec<u8> {
    let len = match kind {
        Kind::Fork | Kind::Task => size_of::<TaskRecord>(),
        Kind::Exec => size_of::<ExecRecord>(),
        Kind::Exit => size_of::<ExitRecord>(),
        Kind::Connect => size_of::<ConnectRecord>(),
        Kind::ConnectResult => size_of::<ConnectResultRecord>(),
    };
    let mut record = header(kind, len, u64::from_le_bytes(*body.first_chunk().unwrap())).as_bytes().to_vec();
    let head = record.len();
    record.extend(&body[head..len]);
    if kind == Kind::Exec {
        // Pieces that carry nothing, of which there was something.
        let pieces = len - 40;
        record[pieces..].chunks_mut(8).for_each(|piece| piece[..4].fill(0));
    }
    record
}

/// What may happen to the table.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A process is told, with its parent.
    Insert { tgid: u32, parent: u32 },
    /// A process ends; another one takes over its children.
    End { tgid: u32, reaper: u32 },
    /// Time goes by, in units of half the grace time.
    Wait(u64),
    /// Somebody asks for a parent.
    Ask(u32),
}

/// Ids from 1 up to this.
const TGIDS: u32 = 6;
const GRACE_NS: u64 = 100;

/// A parent and a reaper have a lower id: there is no cycle, as in the kernel.
fn step() -> impl Strategy<Value = Step> {
    let pair = || (2..=TGIDS).prop_flat_map(|tgid| (Just(tgid), 1..tgid));
    prop_oneof![
        4 => pair().prop_map(|(tgid, parent)| Step::Insert { tgid, parent }),
        3 => pair().prop_map(|(tgid, reaper)| Step::End { tgid, reaper }),
        2 => (1_u64..4).prop_map(Step::Wait),
        1 => (2..=TGIDS).prop_map(Step::Ask),
    ]
}

/// A table that never forgets.
#[derive(Debug, Default)]
struct Model {
    lives: HashMap<u32, Life>,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    value: usize,
    parent: u32,
    /// When it ended, and who took over its children.
    end: Option<(u64, u32)>,
}

impl Model {
    fn has_ended(&self, tgid: u32) -> bool {
        self.lives.get(&tgid).is_some_and(|life| life.end.is_some())
    }

    /// Whether the kernel could tell this: a parent or a reaper runs at that moment, and no process is told after its end.
    fn allows(&self, step: Step) -> bool {
        match step {
            Step::Insert { tgid, parent } => !self.has_ended(tgid) && !self.has_ended(parent),
            Step::End { tgid, reaper } => self.lives.contains_key(&tgid) && !self.has_ended(reaper),
            Step::Wait(_) => true,
            Step::Ask(tgid) => self.lives.contains_key(&tgid),
        }
    }

    fn parent(&self, tgid: u32) -> u32 {
        let mut parent = self.lives[&tgid].parent;
        while let Some((_, reaper)) = self.lives.get(&parent).and_then(|life| life.end) {
            parent = reaper;
        }
        parent
    }
}

fn key(tgid: u32) -> ProcessKey {
    ProcessKey::new(tgid, u64::from(tgid))
}

/// Both tables, side by side.
struct Both {
    table: Table<usize>,
    model: Model,
    now_ns: u64,
}

impl Both {
    /// With pid 1, which never ends.
    fn new() -> Self {
        let mut both = Self {
            table: Table::new(Limits { entries: 100, grace_ns: GRACE_NS }),
            model: Model::default(),
            now_ns: 1000,
        };
        both.insert(0, 1, 0);
        both
    }

    fn insert(&mut self, value: usize, tgid: u32, parent: u32) {
        self.table.insert(key(tgid), key(parent), value);
        let end = self.model.lives.get(&tgid).and_then(|life| life.end);
        self.model.lives.insert(tgid, Life { value, parent, end });
    }

    fn take(&mut self, value: usize, step: Step) {
        if !self.model.allows(step) {
            return;
        }
        match step {
            Step::Insert { tgid, parent } => self.insert(value, tgid, parent),
            Step::End { tgid, reaper } => {
                let life = self.model.lives.get_mut(&tgid).unwrap();
                let first = life.end.is_none();
                if first {
                    life.end = Some((self.now_ns, reaper));
                }
                if self.table.get(key(tgid)).is_some() {
                    assert_eq!(self.table.end(key(tgid), KernelTimeNs(self.now_ns), key(reaper)), first);
                }
            }
            Step::Wait(halves) => {
                self.now_ns += halves * GRACE_NS / 2;
                self.table.expire(KernelTimeNs(self.now_ns));
            }
            Step::Ask(tgid) => {
                if self.table.get(key(tgid)).is_some() {
                    assert_eq!(
                        self.table.parent(key(tgid)),
                        Some(key(self.model.parent(tgid))),
                        "parent of {tgid}"
                    );
                }
            }
        }
    }

    fn check(&self) {
        for (&tgid, life) in &self.model.lives {
            let entry = self.table.get(key(tgid));
            let must_be_there = life.end.is_none_or(|(at, _)| self.now_ns - at < GRACE_NS);
            assert!(entry.is_some() || !must_be_there, "{tgid} was forgotten too early");
            if let Some(entry) = entry {
                assert_eq!((entry.process, entry.has_ended()), (life.value, life.end.is_some()), "{tgid}");
            }
        }
    }

    fn ask_all(&mut self) {
        for tgid in 2..=TGIDS {
            self.take(0, Step::Ask(tgid));
        }
    }

    /// Ends all but pid 1.
    fn end_all(&mut self) {
        for tgid in 2..=TGIDS {
            self.take(0, Step::End { tgid, reaper: 1 });
        }
        self.take(0, Step::Wait(3));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_knows_what_runs_and_what_lately_ended(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().filter(|step| !matches!(step, Step::Ask(_))).enumerate() {
            both.take(value, step);
            both.check();
        }
    }

    #[test]
    fn a_table_whose_processes_have_all_ended_holds_none(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().filter(|step| !matches!(step, Step::Ask(_))).enumerate() {
            both.take(value, step);
        }
        both.end_all();
        prop_assert_eq!(both.table.len(), 1);
    }

    #[test]
    fn what_the_table_forgets_changes_no_parent(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().enumerate() {
            // Records in the kernel's order: a parent is told before its children, a reaper before it takes over.
            let known = |tgid| both.model.lives.contains_key(&tgid);
            let in_order = match step {
                Step::Insert { parent: other, .. } | Step::End { reaper: other, .. } => known(other),
                Step::Wait(_) | Step::Ask(_) => true,
            };
            if in_order {
                both.take(value, step);
            }
        }
        both.ask_all();
    }

    #[test]
    fn a_parent_that_is_told_after_its_child_is_kept_as_long(steps in vec(step(), 0..40)) {
        let mut both = Both::new();
        for (value, step) in steps.into_iter().enumerate() {
            // Only pid 1 takes over here, which never ends: what becomes of reapers is another test's.
            let step = if let Step::End { tgid, .. } = step { Step::End { tgid, reaper: 1 } } else { step };
            both.take(value, step);
        }
        both.ask_all();
    }
}
