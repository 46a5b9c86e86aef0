//! How deep a process is below others of the same stream, for the indentation of its lines.

use std::collections::{HashMap, VecDeque};

use collector_event::{EntityId, Process};

/// Processes that are remembered. A shell script that runs 10,000 programs needs one: its own.
const REMEMBERED: usize = 4096;

/// The depths of the processes that the stream showed last.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    depths: HashMap<EntityId, usize>,
    /// The oldest first, to be forgotten first.
    order: VecDeque<EntityId>,
}

impl Lineage {
    /// The depth of `process`: one more than that of its nearest ancestor that was shown, 0 if there is none. A process keeps
    /// the depth that it had first.
    pub(super) fn depth_of(&mut self, process: &Process) -> usize {
        let above = self.depth_above(process).map_or(0, |depth| depth + 1);
        let Some(id) = process.entity_id else { return above };
        if let Some(depth) = self.depths.get(&id) {
            return *depth;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.depths.remove(&oldest);
        }
        self.order.push_back(id);
        self.depths.insert(id, above);
        above
    }

    fn depth_above(&self, process: &Process) -> Option<usize> {
        let parent = process.parent.as_ref().and_then(|parent| parent.entity_id);
        let ancestors = process.ancestors.iter().flat_map(|ancestors| ancestors.iter());
        let mut ids = parent.into_iter().chain(ancestors.filter_map(|ancestor| ancestor.entity_id));
        ids.find_map(|id| self.depths.get(&id).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::{Lineage, REMEMBERED};
    use collector_event::{Ancestor, EntityId, Parent, Process};

    fn id(number: u32) -> EntityId {
        format!("{number:08x}-0000-8000-8000-000000000000").parse().unwrap()
    }

    fn process(number: u32, above: &[u32]) -> Process {
        let parent =
            above.first().map(|&parent| Parent { entity_id: Some(id(parent)), ..Parent::default() }.into());
        let ancestor = |&above: &u32| Ancestor { entity_id: Some(id(above)), ..Ancestor::default() }.into();
        let ancestors: Vec<_> = above.iter().map(ancestor).collect();
        Process {
            entity_id: Some(id(number)),
            parent,
            ancestors: Some(ancestors.into()),
            ..Process::default()
        }
    }

    #[test]
    fn a_child_is_one_deeper_than_its_nearest_ancestor_that_was_shown() {
        let mut lineage = Lineage::default();
        assert_eq!(lineage.depth_of(&process(10, &[2, 1])), 0, "no ancestor was shown");
        assert_eq!(lineage.depth_of(&process(11, &[10, 2, 1])), 1);
        assert_eq!(lineage.depth_of(&process(13, &[12, 11, 10, 2, 1])), 2, "12 only forked");
    }

    #[test]
    fn a_process_keeps_its_depth_when_its_parent_ends() {
        let mut lineage = Lineage::default();
        lineage.depth_of(&process(10, &[1]));
        assert_eq!(lineage.depth_of(&process(11, &[10, 1])), 1);
        assert_eq!(lineage.depth_of(&process(11, &[1])), 1);
    }

    #[test]
    fn no_more_processes_are_remembered_than_there_is_room_for() {
        let mut lineage = Lineage::default();
        let many = u32::try_from(REMEMBERED).unwrap() * 2;
        for number in 0..many {
            lineage.depth_of(&process(number, &[]));
        }
        assert_eq!((lineage.depths.len(), lineage.order.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(lineage.depth_of(&process(many, &[many - 1])), 1);
    }
}
