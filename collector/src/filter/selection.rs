//! Which events of a run are written, of those that the kernel side sent: by process, by tree of processes, by rules in a
//! replay, and how many.

use std::num::NonZero;

use super::{Filter, facts::Facts, recent::Recent};
use crate::event::{Action, EntityId, Event, ExecId, Process};

/// Selects events. The default selects all.
///
/// What it does not select counts as filtered, so that seen = written + filtered + lost still holds. Records about the
/// stream itself (`agent-start`, `loss`, `checksums`, `agent-stop`) are always selected.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Whether it leaves out anything. Most runs select all, which must cost nothing.
    restricts: bool,
    rules: Filter,
    /// Whether the rules keep an image, decided at its exec or fork. Its exit is treated the same, whatever the process has
    /// become.
    images: Recent<ExecId, bool>,
    /// Whether the rules keep a connection, decided at its connect. Its result is treated the same.
    connections: Recent<u64, bool>,
    pids: Vec<Root>,
    trees: Vec<Root>,
    /// Processes of the trees: a process that loses its parent still belongs to its tree.
    members: Recent<EntityId, ()>,
    /// How many more events are wanted.
    left: Option<u64>,
}

/// A process that the user named by its id. Ids are reused: this is the first process with the id in the stream.
#[derive(Clone, Copy, Debug)]
struct Root {
    pid: u32,
    process: Option<EntityId>,
}

impl Selection {
    /// Leaves out what these rules leave out. For a replay, in which no kernel side applies them. The limit of the filter does
    /// not apply.
    #[must_use]
    pub fn rules(mut self, filter: Filter) -> Self {
        self.rules = Filter { exec_limit: None, ..filter };
        self.restricts |= !self.rules.is_off();
        self
    }

    /// Selects the processes with these ids, and those of [`Selection::trees`].
    #[must_use]
    pub fn pids(mut self, pids: impl IntoIterator<Item = u32>) -> Self {
        self.pids = pids.into_iter().map(Root::new).collect();
        self.restricts |= !self.pids.is_empty();
        self
    }

    /// Selects the processes with these ids and their descendants, and those of [`Selection::pids`].
    #[must_use]
    pub fn trees(mut self, pids: impl IntoIterator<Item = u32>) -> Self {
        self.trees = pids.into_iter().map(Root::new).collect();
        self.restricts |= !self.trees.is_empty();
        self
    }

    /// Selects at most this number of events; then [`Selection::is_done`].
    #[must_use]
    pub fn count(mut self, count: NonZero<u64>) -> Self {
        self.left = Some(count.get());
        self.restricts = true;
        self
    }

    /// Whether everything that was wanted has been selected.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether this event is selected. Takes the events of a run in their order, each once.
    pub fn wants(&mut self, event: &Event) -> bool {
        if !self.restricts {
            return true;
        }
        match event.action() {
            Action::AgentStart | Action::AgentStop | Action::Loss | Action::Checksums | Action::Unknown => {
                return true;
            }
            Action::Snapshot
            | Action::Fork
            | Action::Exec
            | Action::Exit
            | Action::Connect
            | Action::ConnectResult => {}
        }
        let process = event.process.as_deref();
        if !self.is_of_process(process) || !self.is_kept(event, process) {
            return false;
        }
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn is_of_process(&mut self, process: Option<&Process>) -> bool {
        if self.pids.is_empty() && self.trees.is_empty() {
            return true;
        }
        let Some(process) = process else { return false };
        // Both are asked, since each of them learns from the event.
        let is_named = self.pids.iter_mut().any(|root| root.is(process.pid, process.entity_id));
        self.is_in_tree(process) || is_named
    }

    fn is_in_tree(&mut self, process: &Process) -> bool {
        let Self { trees, members, .. } = self;
        if process.entity_id.is_some_and(|id| members.get(&id).is_some()) {
            return true;
        }
        let parent = process.parent.as_deref().map(|parent| (parent.pid, parent.entity_id));
        let ancestors = process.ancestors.iter().flat_map(|ancestors| ancestors.iter());
        let above = parent.into_iter().chain(ancestors.map(|ancestor| (ancestor.pid, ancestor.entity_id)));
        let mut line = [(process.pid, process.entity_id)].into_iter().chain(above);
        let is_member = line.any(|(pid, id)| {
            id.is_some_and(|id| members.get(&id).is_some()) || trees.iter_mut().any(|root| root.is(pid, id))
        });
        if let Some(id) = process.entity_id.filter(|_| is_member) {
            members.insert(id, ());
        }
        is_member
    }

    /// Decides as the kernel side does: for an exit as for its exec or fork, for a result as for its connect.
    fn is_kept(&mut self, event: &Event, process: Option<&Process>) -> bool {
        if self.rules.is_off() {
            return true;
        }
        let action = event.action();
        let image = process.and_then(|process| process.exec_id);
        let connection = event.connection.map(|connection| connection.id);
        let remembered = if action == Action::Exit {
            image.and_then(|id| self.images.get(&id))
        } else if action == Action::ConnectResult {
            connection.and_then(|id| self.connections.get(&id))
        } else {
            None
        };
        if let Some(kept) = remembered {
            return *kept;
        }
        let kept = !self.rules.leaves_out(&process.map_or_else(Facts::default, Facts::of));
        if let (Action::Connect, Some(id)) = (action, connection) {
            self.connections.insert(id, kept);
        } else if let (Action::Exec | Action::Fork | Action::Snapshot, Some(id)) = (action, image) {
            self.images.insert(id, kept);
        }
        kept
    }
}

impl Root {
    fn new(pid: u32) -> Self {
        Self { pid, process: None }
    }

    /// Whether it is the process with this id and, if known, this entity.
    fn is(&mut self, pid: Option<u32>, process: Option<EntityId>) -> bool {
        if pid != Some(self.pid) {
            return false;
        }
        self.process = self.process.or(process);
        process.is_none() || process == self.process
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::Selection;
    use crate::event::{
        Action, Ancestor, Connection, EntityId, Event, ExecId, Parent, Process, Shared, Timestamp, User,
    };

    fn id(number: u32) -> EntityId {
        format!("{number:08x}-0000-8000-8000-000000000000").parse().unwrap()
    }

    /// A process whose entity has the number of its pid, with these above it.
    fn process(pid: u32, above: &[u32]) -> Process {
        let parent =
            |&pid: &u32| Parent { pid: Some(pid), entity_id: Some(id(pid)), ..Parent::default() }.into();
        let ancestor =
            |&pid: &u32| Ancestor { pid: Some(pid), entity_id: Some(id(pid)), ..Ancestor::default() }.into();
        Process {
            pid: Some(pid),
            entity_id: Some(id(pid)),
            exec_id: Some(ExecId { entity_id: id(pid), begun_ns: 1 }),
            parent: above.first().map(parent),
            ancestors: Some(above.iter().map(ancestor).collect::<Vec<_>>().into()),
            ..Process::default()
        }
    }

    fn event(action: Action, process: Process) -> Event {
        let mut event = Event::new(action, Timestamp(0), Shared::default());
        event.process = Some(Box::new(process));
        event
    }

    fn exec(pid: u32, above: &[u32]) -> Event {
        event(Action::Exec, process(pid, above))
    }

    #[test]
    fn the_default_selects_all() {
        assert!(Selection::default().wants(&exec(7, &[1])));
        assert!(!Selection::default().is_done());
    }

    #[test]
    fn a_pid_selects_that_process_alone_and_no_later_one_with_its_id() {
        let mut selection = Selection::default().pids([7]);
        assert!(!selection.wants(&exec(8, &[7, 1])), "its child");
        assert!(selection.wants(&exec(7, &[1])));
        let later = Process { entity_id: Some(id(99)), ..process(7, &[1]) };
        assert!(!selection.wants(&event(Action::Exec, later)), "the id was reused");
        assert!(selection.wants(&event(Action::Exit, process(7, &[1]))));
    }

    #[test]
    fn a_tree_selects_a_process_and_its_descendants() {
        let mut selection = Selection::default().trees([7]);
        assert!(!selection.wants(&exec(5, &[1])));
        assert!(selection.wants(&exec(8, &[7, 1])), "a child of what was not shown itself");
        assert!(selection.wants(&exec(10, &[9, 8, 7, 1])));
        assert!(selection.wants(&event(Action::Exit, process(10, &[1]))), "it has lost its parents");
        assert!(selection.wants(&exec(11, &[10, 1])), "its child, too");
        assert!(selection.wants(&exec(7, &[1])));
        let reused = Process { entity_id: Some(id(99)), ..process(7, &[1]) };
        assert!(!selection.wants(&event(Action::Exec, reused)));
    }

    #[test]
    fn pids_and_trees_add_up() {
        let mut selection = Selection::default().pids([5]).trees([7]);
        assert!(selection.wants(&exec(5, &[1])) && selection.wants(&exec(8, &[7, 1])));
        assert!(!selection.wants(&exec(6, &[5, 1])));
    }

    #[test]
    fn a_count_bounds_the_events_but_not_those_about_the_stream() {
        let mut selection = Selection::default().count(NonZero::new(2).unwrap());
        assert!(selection.wants(&exec(7, &[])) && !selection.is_done());
        assert!(selection.wants(&exec(8, &[])) && selection.is_done());
        assert!(!selection.wants(&exec(9, &[])));
        for action in [Action::Loss, Action::Checksums, Action::AgentStop] {
            assert!(selection.wants(&event(action, process(7, &[]))), "{action:?}");
        }
    }

    #[test]
    fn an_exit_is_treated_as_its_exec_and_a_result_as_its_connect() {
        let rules = toml::from_str("only = [\"uid=1000\"]").unwrap();
        let mut selection = Selection::default().rules(rules);
        let with_uid = |pid, uid: &str| {
            let user = User { id: Some(uid.into()), ..User::default() };
            Process { user: Some(user.into()), ..process(pid, &[]) }
        };
        assert!(selection.wants(&event(Action::Exec, with_uid(7, "1000"))));
        assert!(selection.wants(&event(Action::Exit, with_uid(7, "0"))));
        assert!(!selection.wants(&event(Action::Exit, with_uid(8, "0"))), "its exec was not shown");
        let connection = |action, uid: &str| {
            let mut event = event(action, with_uid(9, uid));
            event.connection = Some(Connection { id: 5 });
            event
        };
        assert!(selection.wants(&connection(Action::Connect, "1000")));
        assert!(selection.wants(&connection(Action::ConnectResult, "0")));
        assert!(
            !selection.wants(&connection(Action::Connect, "0")),
            "the state of the process at the connect decides"
        );
        assert!(!selection.wants(&Event::new(Action::Connect, Timestamp(0), Shared::default())));
    }
}
