//! Execs and exits of the storm against what their makers saw.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use collector_tests::{
    findings::Findings,
    truth::files,
    workload::storm::{Kind, Made, Run, Shown, USER},
};
use serde_json::{Map, Value, json};

use super::{
    maker::{Born, Maker},
    stream::Storm,
};

/// A process, and how many of its execs have been seen.
struct Process<'a> {
    made: Made,
    born: &'a Born,
    maker: usize,
    execs: usize,
}

/// All of a storm.
pub(crate) struct Processes<'a> {
    makers: &'a [Maker],
    all: Vec<Process<'a>>,
    by_entity: HashMap<&'a str, usize>,
    /// Files that stay: by path.
    files: HashMap<String, Map<String, Value>>,
    /// By the path of the image; no two have the same name.
    hashes: HashMap<String, Value>,
    /// For each maker, the places of its processes in the order of their records; `true` at an exit.
    order: Vec<Vec<(usize, bool)>>,
    /// Images whose digest comes later: by exec id, the place of the process and the number of its image.
    pending: HashMap<String, (usize, usize)>,
    /// How often what was said of digests.
    digests: BTreeMap<(Kind, String), usize>,
}

impl<'a> Processes<'a> {
    pub(crate) fn new(makers: &'a [Maker], home: &Path) -> Self {
        let home = home.to_str().unwrap();
        let mut all = Vec::new();
        let mut by_entity = HashMap::new();
        for (place, maker) in makers.iter().enumerate() {
            for born in &maker.born {
                by_entity.insert(born.entity_id.as_str(), all.len());
                all.push(Process { made: Made::new(born.number, home), born, maker: place, execs: 0 });
            }
        }
        assert_eq!(by_entity.len(), all.len(), "a pid was used twice in one tick");
        let files = ["tiny", "second", "tiny32"].map(|name| format!("{home}/{name}"));
        let files = files.map(|path| (path.clone(), files::exe(&fs::metadata(path).unwrap())));
        Self {
            makers,
            order: makers.iter().map(|_| Vec::new()).collect(),
            all,
            by_entity,
            files: files.into(),
            hashes: HashMap::new(),
            pending: HashMap::new(),
            digests: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// What was said of digests, for people.
    pub(crate) fn summary(&self) -> String {
        format!("digests: {:?}", self.digests)
    }

    fn hash(&mut self, place: usize, image: usize) -> &Value {
        let shown = &self.all[place].made.shown[image];
        self.hashes.entry(shown.executable.clone()).or_insert_with(|| files::hashes(&shown.image()))
    }

    /// The digest is right, or the image is gone and the reason is reported.
    fn check_digest(&mut self, findings: &mut Findings, place: usize, image: usize, event: &Value) {
        let kind = self.all[place].made.kind;
        let missing = event.pointer("/capture/missing").and_then(|missing| missing.get("process.hash"));
        let missing = missing.and_then(Value::as_str);
        *self.digests.entry((kind, missing.unwrap_or("reported").to_owned())).or_default() += 1;
        match missing {
            None => {
                let reported = event.pointer("/process/hash");
                findings.equal("process.hash", &format!("{kind:?}"), reported, Some(self.hash(place, image)));
            }
            Some("pending") => {
                let exec_id = event.pointer("/process/exec_id").and_then(Value::as_str).unwrap();
                self.pending.insert(exec_id.to_owned(), (place, image));
            }
            Some(reason) => {
                let gone = matches!(kind, Kind::Memfd | Kind::Deleted) && reason == "exited";
                findings.require("process.hash (of a file that stays)", gone, || {
                    format!("{kind:?}: {reason}: {event}")
                });
                findings.equal("process.hash (and a reason)", reason, event.pointer("/process/hash"), None);
            }
        }
    }

    fn check_late_digest(&mut self, findings: &mut Findings, event: &Value) {
        let exec_id = event.pointer("/process/exec_id").and_then(Value::as_str).unwrap_or_default();
        let Some((place, image)) = self.pending.remove(exec_id) else { return };
        let kind = self.all[place].made.kind;
        let missing = event.pointer("/capture/missing").and_then(|missing| missing.get("process.hash"));
        if matches!(kind, Kind::Memfd | Kind::Deleted) && missing.is_some() {
            return;
        }
        let reported = event.pointer("/process/hash");
        findings.equal("process.hash (late)", &format!("{kind:?}"), reported, Some(self.hash(place, image)));
    }

    fn check_identity(&self, findings: &mut Findings, place: usize, image: usize, event: &Value) {
        let Process { made, born, maker, .. } = &self.all[place];
        let shown = &made.shown[image];
        let whose = format!("{:?} {}", made.kind, made.number);
        let mut equal = |field: &str, expected: Option<&Value>| {
            findings.equal(field, &whose, event.pointer(field), expected);
        };
        for (field, expected) in &self.makers[*maker].facts {
            equal(field, Some(expected));
        }
        let user = json!(if made.kind == Kind::User { USER } else { 0 }.to_string());
        for field in ["user", "real_user", "saved_user", "group", "real_group", "saved_group"] {
            equal(&format!("/process/{field}/id"), Some(&user));
        }
        equal("/process/pid", Some(&json!(born.pid)));
        equal("/process/thread/id", Some(&json!(born.pid)));
        equal("/process/vpid", None);
        equal("/process/executable", Some(&json!(shown.executable)));
        if let Some(comm) = &shown.comm {
            equal("/process/comm", Some(&json!(comm)));
        }
        equal("/process/script", shown.script.clone().map(Value::from).as_ref());
        equal("/process/working_directory", Some(&json!(made.directory)));
        let mut exe = event.pointer("/process/exe").cloned().unwrap_or_default();
        if let (Run::Memfd(_), Some(fields)) = (&made.run, exe.as_object_mut()) {
            // It never had a name, so that can be read both ways.
            fields.remove("deleted");
        }
        findings.equal("/process/exe", &whose, Some(&exe), Some(&self.exe(made, born, shown)));
        check_args(findings, made, &shown.args, event);
    }

    fn exe(&self, made: &Made, born: &Born, shown: &Shown) -> Value {
        let mut exe = match (self.files.get(&shown.executable), &born.exe) {
            (Some(of_file), _) => of_file.clone(),
            (None, seen) => seen.as_object().unwrap().clone(),
        };
        match made.run {
            Run::Memfd(_) => exe.insert("memfd".into(), json!(true)),
            Run::Unlinked(_) => exe.insert("deleted".into(), json!(true)),
            Run::Path(_) | Run::Descriptor(_) => None,
        };
        Value::Object(exe)
    }
}

/// argv exactly, the 100 KB of it too.
fn check_args(findings: &mut Findings, made: &Made, args: &[Vec<u8>], event: &Value) {
    let whose = format!("{:?} {}", made.kind, made.number);
    let lossy = |bytes: &Vec<u8>| Value::from(String::from_utf8_lossy(bytes));
    let reported = event.pointer("/process/args").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let count = event.pointer("/process/args_count");
    findings.equal("process.args_count", &whose, count, Some(&json!(args.len())));
    let exact = reported.len() == args.len()
        && reported.iter().zip(args).all(|(reported, arg)| *reported == lossy(arg));
    findings
        .require("process.args", exact, || format!("{whose}: {} arguments: {reported:?}", reported.len()));
    for (place, arg) in args.iter().enumerate().filter(|(_, arg)| str::from_utf8(arg).is_err()) {
        let field = format!("process.args[{place}]");
        let bytes = event.pointer("/capture/bytes").and_then(|bytes| bytes.get(&field));
        findings.equal("capture.bytes", &whose, bytes, Some(&json!(STANDARD.encode(arg))));
    }
}

fn check_exec(findings: &mut Findings, made: &Made, event: &Value) {
    let whose = format!("{:?} {}", made.kind, made.number);
    let env: Vec<_> = made.env.iter().map(|entry| String::from_utf8_lossy(entry)).collect();
    findings.equal("process.env_vars", &whose, event.pointer("/process/env_vars"), Some(&json!(env)));
    let exec_id = event.pointer("/process/exec_id").and_then(Value::as_str).unwrap_or_default();
    let entity_id = event.pointer("/process/entity_id").and_then(Value::as_str).unwrap_or("?");
    findings.require("process.exec_id", exec_id.starts_with(&format!("{entity_id}:")), || exec_id.to_owned());
}

fn check_exit(findings: &mut Findings, made: &Made, born: &Born, event: &Value) {
    let whose = format!("{:?} {}", made.kind, made.number);
    let (code, signal) = (born.status >> 8 & 0xff, born.status & 0x7f);
    let killed = signal != 0;
    findings.require("(it ended as it was to)", killed == made.exit_code().is_none(), || whose.clone());
    if let Some(meant) = made.exit_code() {
        findings.require("(it ended with its code)", code == i32::from(meant), || format!("{whose}: {code}"));
    }
    for (field, expected) in [
        ("/process/exit_code", (!killed).then(|| json!(code))),
        ("/process/exit/signal", killed.then(|| json!(signal))),
        ("/process/exit/signal_name", killed.then(|| json!("SIGKILL"))),
        ("/process/env_vars", None),
    ] {
        findings.equal(field, &whose, event.pointer(field), expected.as_ref());
    }
}

impl Storm for Processes<'_> {
    fn record(&mut self, findings: &mut Findings, action: &str, event: &Value) {
        let entity_id = event.pointer("/process/entity_id").and_then(Value::as_str);
        let Some(&place) = entity_id.and_then(|id| self.by_entity.get(id)) else { return };
        if action == "checksums" {
            return self.check_late_digest(findings, event);
        }
        let process = &mut self.all[place];
        let image = match action {
            "exec" => {
                process.execs += 1;
                process.execs
            }
            _ => process.made.shown.len(),
        };
        self.order[process.maker].push((place, action == "exit"));
        if image > process.made.shown.len() {
            return findings.require("(no more execs than there were)", false, || event.to_string());
        }
        self.check_identity(findings, place, image - 1, event);
        self.check_digest(findings, place, image - 1, event);
        let Process { made, born, .. } = &self.all[place];
        match action {
            "exec" => check_exec(findings, made, event),
            "exit" => check_exit(findings, made, born, event),
            _ => findings.require("event.action", false, || action.to_owned()),
        }
    }

    /// Each maker waited for each of its processes, so this is the one order that they can have come in.
    fn end(&mut self, findings: &mut Findings) {
        for (maker, reported) in self.order.iter().enumerate() {
            let of_maker = self.all.iter().enumerate().filter(|(_, process)| process.maker == maker);
            let true_order = of_maker.flat_map(|(place, process)| {
                let execs = process.made.shown.iter().map(move |_| (place, false));
                execs.chain([(place, true)])
            });
            let true_order: Vec<_> = true_order.collect();
            let agree = true_order.iter().zip(reported).take_while(|(one, other)| one == other).count();
            findings.require("(every exec and exit once, in order)", true_order == *reported, || {
                let next = reported.get(agree).map(|(place, exit)| (self.all[*place].made.number, exit));
                let meant = true_order.get(agree).map(|(place, exit)| (self.all[*place].made.number, exit));
                format!(
                    "{} of {}; at {agree} {next:?} instead of {meant:?}",
                    reported.len(),
                    true_order.len()
                )
            });
        }
        let stays = |place: &usize| !matches!(self.all[*place].made.kind, Kind::Memfd | Kind::Deleted);
        let never = self.pending.values().filter(|(place, _)| stays(place)).count();
        findings.require("process.hash (pending, and never reported)", never == 0, || never);
    }
}
