//! All that the stream must say of a living process, from /proc.

use std::{collections::BTreeMap, fs};

use serde_json::{Map, Value, json};

use super::{cgroups, clock::Wall, files, names, procfs, procfs::Stat};

/// Dotted paths of a record and their values; a path that is not here says nothing of the field.
pub type Facts = BTreeMap<String, Value>;

/// What /proc has of a process that is alive and that no test has to know beforehand. Times, which are compared
/// by intervals, are not among it.
pub fn facts(pid: u32) -> Facts {
    let stat = Stat::read(pid).unwrap_or_else(|| panic!("{pid} is gone"));
    let executable = procfs::executable(pid).unwrap_or_else(|| panic!("{pid} has no image"));
    let mut facts = Facts::new();
    let mut say = |path: &str, value: Value| facts.insert(format!("process.{path}"), value);
    say("pid", json!(pid));
    say("entity_id", json!(procfs::entity_id(pid)));
    say("comm", json!(procfs::comm(pid)));
    say("name", json!(executable.rsplit('/').next()));
    say("executable", json!(executable));
    say("session_leader.pid", json!(stat.session));
    say("group_leader.pid", json!(stat.process_group));
    for name in ["mnt", "pid", "net", "user", "uts", "ipc", "cgroup"] {
        say(&format!("namespaces.{name}"), json!(procfs::namespace(pid, name)));
    }
    if let Some(cgroup) = cgroups::of(pid) {
        say("cgroup", cgroup);
    }
    for (field, value) in files::exe(&fs::metadata(procfs::file(pid, "exe")).unwrap()) {
        say(&format!("exe.{field}"), value);
    }
    for (field, value) in identities(pid).into_iter().chain(capabilities(pid)).chain(parent(stat.ppid)) {
        say(&field, value);
    }
    facts
}

/// The lines `Uid` and `Gid` have the real, effective, saved and file-system id, in this order.
fn identities(pid: u32) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    for (line, noun) in [("Uid", "user"), ("Gid", "group")] {
        let name_of = |id| if noun == "user" { names::user(id) } else { names::group(id) };
        let ids = procfs::status(pid, line);
        for (prefix, id) in ["real_", "", "saved_"].iter().zip(&ids) {
            fields.push((format!("{prefix}{noun}.id"), json!(id)));
            if let Some(name) = name_of(id.parse().unwrap()) {
                fields.push((format!("{prefix}{noun}.name"), json!(name)));
            }
        }
    }
    fields
}

fn capabilities(pid: u32) -> Vec<(String, Value)> {
    let names_on = |line| {
        let set = u64::from_str_radix(&procfs::status(pid, line)[0], 16).unwrap();
        json!(names::capabilities(set))
    };
    vec![
        ("thread.capabilities.effective".into(), names_on("CapEff")),
        ("thread.capabilities.permitted".into(), names_on("CapPrm")),
    ]
}

fn parent(pid: u32) -> Vec<(String, Value)> {
    let arguments = procfs::strings(pid, "cmdline").unwrap();
    let arguments: Vec<_> = arguments.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
    let executable = procfs::executable(pid).unwrap();
    vec![
        ("parent.pid".into(), json!(pid)),
        ("parent.entity_id".into(), json!(procfs::entity_id(pid))),
        ("parent.comm".into(), json!(procfs::comm(pid))),
        ("parent.name".into(), json!(executable.rsplit('/').next())),
        ("parent.executable".into(), json!(executable)),
        ("parent.args".into(), json!(arguments)),
    ]
}

/// One of the processes that a process descends from.
#[derive(Clone, Debug)]
pub struct Ancestor {
    /// What the stream must say of it, except its start. Without `executable` where this test may not read it.
    pub fields: Map<String, Value>,
    /// The tick in which it began.
    pub start: Wall,
}

/// From the parent of `pid` up to pid 1.
pub fn ancestors(pid: u32) -> Vec<Ancestor> {
    let mut line = Vec::new();
    let mut next = Stat::read(pid).unwrap().ppid;
    while let Some(stat) = Stat::read(next) {
        let mut fields = Map::new();
        fields.insert("pid".into(), json!(next));
        fields.insert("entity_id".into(), json!(procfs::entity_id(next)));
        fields.insert("comm".into(), json!(procfs::comm(next)));
        if let Some(executable) = procfs::executable(next) {
            fields.insert("executable".into(), json!(executable));
        }
        line.push(Ancestor { fields, start: Wall::from_ticks(stat.start_ticks) });
        next = stat.ppid;
    }
    line
}
