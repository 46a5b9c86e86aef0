//! `process.parent` and `process.ancestors`.

use std::rc::Rc;

use super::{notes::Notes, process::exec_id};
use crate::{
    event::{self, Shared, Timestamp},
    fact::{Fact, Reason},
    process::ProcessKey,
    track::{Above, Chain, Image, Link, TrackedProcess},
};

/// `process.parent`. `start` is for a parent that neither the table nor /proc has; `None` if only its id is known.
pub(crate) fn parent(
    notes: &mut Notes<'_>,
    key: ProcessKey,
    process: &Result<Rc<TrackedProcess>, Reason>,
    start: Option<Timestamp>,
) -> Shared<event::Parent> {
    match process {
        Ok(process) => known_parent(notes, key, process),
        Err(reason) => unknown_parent(notes, key, start, *reason).into(),
    }
}

/// Where its fields came from stands on its own events.
fn known_parent(notes: &mut Notes<'_>, key: ProcessKey, process: &TrackedProcess) -> Shared<event::Parent> {
    let Image { executable, args, .. } = &*process.image;
    if let Some(path) = executable.value() {
        notes.exact_text("process.parent.executable", path);
    }
    notes.args("process.parent.args", args);
    notes.value("process.parent.args", args);
    notes.value("process.parent.executable", executable);
    process.shown.parent(|| event::Parent {
        pid: Some(key.tgid.0),
        entity_id: Some(process.entity_id),
        exec_id: Some(exec_id(process)),
        name: process.image.name.clone(),
        comm: Some(process.comm.clone()),
        executable: executable.value().map(|path| path.shown().clone()),
        args: args.value().map(|args| args.shown.clone()),
        start: Some(process.start),
    })
}

fn unknown_parent(
    notes: &mut Notes<'_>,
    key: ProcessKey,
    start: Option<Timestamp>,
    reason: Reason,
) -> event::Parent {
    for name in ["entity_id", "exec_id", "comm", "executable", "args"] {
        notes.missing(format!("process.parent.{name}"), reason);
    }
    if start.is_none() {
        notes.missing("process.parent.start", reason);
    }
    event::Parent { pid: Some(key.tgid.0), start, ..event::Parent::default() }
}

/// The ancestors of all children of a process.
pub(crate) fn above(chain: &Chain) -> Above {
    let (mut ancestors, mut missing) = (Vec::with_capacity(chain.links.len()), Vec::new());
    for (place, link) in chain.links.iter().enumerate() {
        ancestors.push(match link {
            Link::Known(key, process) => {
                if let Fact::Missing(reason) = process.image.executable {
                    missing.push((format!("process.ancestors[{place}].executable").into(), reason));
                }
                known_ancestor(*key, process)
            }
            Link::Unknown(key, start) => {
                let start = *start;
                event::Ancestor { pid: Some(key.tgid.0), start, ..event::Ancestor::default() }.into()
            }
        });
    }
    missing.extend(chain.broken.map(|reason| ("process.ancestors".into(), reason)));
    Above { ancestors: ancestors.into(), missing, full: chain.full }
}

fn known_ancestor(key: ProcessKey, process: &TrackedProcess) -> Shared<event::Ancestor> {
    process.shown.ancestor(|| event::Ancestor {
        pid: Some(key.tgid.0),
        entity_id: Some(process.entity_id),
        comm: Some(process.comm.clone()),
        executable: process.image.executable.value().map(|path| path.shown().clone()),
        start: Some(process.start),
    })
}

/// Writes `process.ancestors`.
pub(crate) fn add_above(above: &Above, written: &mut event::Process, notes: &mut Notes<'_>) {
    for (name, reason) in &above.missing {
        notes.missing(name.clone(), *reason);
    }
    if let Some(full) = above.full {
        notes.truncated("process.ancestors", full);
    }
    written.ancestors = Some(above.ancestors.clone());
}
