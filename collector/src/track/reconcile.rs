//! After records were lost: corrects the table by a snapshot of /proc.
//!
//! A lost exit leaves an entry that would stay for ever, as the parent of children that have another one by now. A lost exec
//! leaves the earlier image. A lost fork leaves nothing: the process is looked for when a record names it, and it may run
//! another image by then than its children were forked with. So images are read again whatever was lost.

use std::{collections::HashMap, rc::Rc};

use super::{
    image::Image,
    proc_snapshot::ProcSnapshot,
    process::{is_kernel, open},
    tracker::Tracker,
};
use crate::{
    fact::Fact,
    process::{KernelTimeNs, ProcessKey, Tgid},
    procfs::{ProcLink, link::without_deleted},
};

impl Tracker {
    /// Ends the processes that are gone, and reads parents and images again.
    ///
    /// The caller must first have read every record that was in the ring when the snapshot was complete: an exit is in the ring
    /// before /proc forgets the process.
    pub(crate) fn reconcile(&mut self, snapshot: &ProcSnapshot) {
        let running = self.table.running().map(|(key, _)| key);
        let before: Vec<ProcessKey> = running.filter(|key| key.start < snapshot.began).collect();
        let (there, gone): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|key| snapshot.get(*key).is_some());
        for key in gone {
            // Checked again: the list may lack a process that had only just begun.
            if !self.proc.is_alive(key.tgid.0, key.start.to_ticks()).unwrap_or(true) {
                self.table.end_unseen(key, snapshot.began);
            }
        }
        let by_tgid: HashMap<Tgid, ProcessKey> = there.iter().map(|key| (key.tgid, *key)).collect();
        for key in there {
            let Some(listed) = snapshot.get(key) else { continue };
            match by_tgid.get(&listed.parent) {
                Some(parent) => self.table.set_parent(key, Some(*parent)),
                None => self.correct_parent(key, listed.parent, snapshot),
            }
            if let Some(exe) = &listed.exe {
                self.correct_image(key, exe, snapshot.began);
            }
        }
        self.correct_inherited(snapshot.began);
    }

    /// Reads the images of processes that were forked since the snapshot: they may have inherited an image that their parent
    /// did not run any more.
    fn correct_inherited(&mut self, began: KernelTimeNs) {
        let since = self.table.running().filter(|(key, _)| key.start >= began);
        let inheriting: Vec<_> = since.filter(|(_, process)| process.inherited).map(|(key, _)| key).collect();
        for key in inheriting {
            if let Ok(exe) = open(&self.proc, key).and_then(|process| process.link(ProcLink::Exe)) {
                self.correct_image(key, &exe, key.start);
            }
        }
    }

    /// Sets the parent that a process had in the snapshot, where that one does not run in the table.
    fn correct_parent(&mut self, key: ProcessKey, tgid: Tgid, snapshot: &ProcSnapshot) {
        let start = snapshot.with_id(tgid).map(|parent| parent.start);
        let listed = start.map(|start| ProcessKey { tgid, start: KernelTimeNs::from_ticks(start) });
        if let Some(ended) = listed.and_then(|parent| self.table.ended_of_tick(parent)) {
            // It ended since, and its exit record says who took its children over: a walk up goes on there.
            return self.table.set_parent(key, Some(ended));
        }
        let runs = || start.is_some_and(|start| self.proc.is_alive(tgid.0, start).unwrap_or(false));
        if self.table.parent(key).is_none_or(|parent| parent.tgid != tgid) && runs() {
            self.table.set_parent(key, Some(ProcessKey { tgid, start: self.start_of_parent(tgid, key) }));
        }
    }

    /// Sets the image that a process runs by now, if neither its path nor its file is the known one.
    fn correct_image(&mut self, key: ProcessKey, exe: &[u8], at: KernelTimeNs) {
        let Some(tracked) = self.get(key) else { return };
        let inode_of = |image: &Image| image.file.value().map(|file| file.inode);
        let known = tracked.image.clone();
        let exe = without_deleted(exe, false).path;
        let is_known = known.executable.value().is_some_and(|path| path.bytes() == exe);
        if is_known || is_kernel(&tracked.task.state) {
            return;
        }
        let Ok(process) = open(&self.proc, key) else { return };
        let (image, _) = self.images.of_running(&process);
        if !matches!(image.file, Fact::Value { .. }) || inode_of(&image) == inode_of(&known) {
            return;
        }
        if let Some(process) = self.table.get_mut(key) {
            *process = Rc::new(process.with_image(image, at.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf, sync::Arc};

    use collector_common::TaskRecord;
    use zerocopy::FromZeros as _;

    use super::{KernelTimeNs, ProcSnapshot, ProcessKey, Tracker};
    use crate::{
        clock::boottime_ns,
        fake_proc::StatLine,
        machine::Machine,
        process::TableLimits,
        procfs::{Proc, StartTicks},
        redact::{Mode, Redactor},
    };

    /// In ticks since boot.
    const START: u64 = 5;

    fn key(tgid: u32) -> ProcessKey {
        ProcessKey::new(tgid, StartTicks(START).to_boottime_ns())
    }

    /// A fake /proc and the table.
    struct World {
        directory: tempfile::TempDir,
        tracker: Tracker,
    }

    impl World {
        /// A chain: 1 is the parent of 2, 2 of 3, 3 of 4. All of them run, and their fork records came.
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let proc = Arc::new(Proc::at(directory.path()).unwrap());
            let machine = Machine::this(&proc, false);
            let redactor = Redactor::new(Mode::Off, &[], &[]);
            let tracker = Tracker::new(machine, proc, TableLimits::default(), redactor);
            let mut world = Self { directory, tracker };
            for tgid in 1..=4 {
                world.show(tgid, tgid - 1, 'S');
                world.run(tgid, &format!("{tgid}-image"));
                world.fork(tgid);
            }
            world
        }

        fn of(&self, tgid: u32) -> PathBuf {
            self.directory.path().join(tgid.to_string())
        }

        fn show(&self, tgid: u32, parent: u32, state: char) {
            let stat = StatLine { tgid, comm: "x", state, parent, start_ticks: START };
            fs::create_dir_all(self.of(tgid)).unwrap();
            fs::write(self.of(tgid).join("stat"), stat.text()).unwrap();
        }

        /// Sets the image that it runs from now on.
        fn run(&self, tgid: u32, name: &str) {
            let image = self.directory.path().join(name);
            fs::write(&image, name).unwrap();
            let link = self.of(tgid).join("exe");
            let _ = fs::remove_file(&link);
            symlink(image, link).unwrap();
        }

        fn fork(&mut self, tgid: u32) {
            let mut fork = TaskRecord::new_zeroed();
            (fork.task.state.tgid, fork.task.state.start_ns) = (tgid, key(tgid).start.0);
            (fork.task.state.parent_tgid, fork.task.state.parent_start_ns) = (tgid - 1, key(tgid).start.0);
            self.tracker.fork(&fork);
            assert!(self.tracker.get(key(tgid)).is_some());
        }

        /// The path of its image in the table, and when the image began.
        fn image(&self, tgid: u32) -> (String, u64) {
            let process = self.tracker.get(key(tgid)).unwrap();
            let path = process.image.executable.value().unwrap().shown().to_string();
            (path, process.begun_ns)
        }

        fn reconcile(&mut self) {
            let now = KernelTimeNs(boottime_ns());
            let snapshot = ProcSnapshot::take(self.tracker.proc(), now).unwrap();
            self.tracker.reconcile(&snapshot);
        }

        #[track_caller]
        fn check(&mut self, ended: &[u32], parents: &[(u32, u32)]) {
            let table = &mut self.tracker.table;
            for tgid in 1..=4 {
                assert_eq!(table.has_ended(key(tgid)), ended.contains(&tgid), "{tgid} has ended");
            }
            for (child, parent) in parents {
                assert_eq!(table.parent(key(*child)), Some(key(*parent)), "parent of {child}");
            }
        }
    }

    #[test]
    fn a_process_whose_exit_was_lost_ends_and_its_child_gets_the_parent_in_proc() {
        let mut world = World::new();
        fs::remove_dir_all(world.of(3)).unwrap();
        world.show(4, 1, 'S');
        world.check(&[], &[(4, 3)]);
        world.reconcile();
        world.check(&[3], &[(4, 1), (2, 1)]);
        assert_eq!(world.tracker.counters().ended_unseen, 1);
    }

    #[test]
    fn a_zombie_has_ended_and_a_stopped_process_has_not() {
        let mut world = World::new();
        world.show(3, 2, 'Z');
        world.show(2, 1, 'T');
        world.reconcile();
        world.check(&[3], &[(2, 1)]);
    }

    #[test]
    fn another_life_of_an_id_does_not_keep_the_first_alive() {
        let mut world = World::new();
        let later = StatLine { tgid: 4, comm: "x", state: 'S', parent: 3, start_ticks: START + 1 };
        fs::write(world.of(4).join("stat"), later.text()).unwrap();
        world.reconcile();
        world.check(&[4], &[]);
    }

    #[test]
    fn a_process_that_began_after_the_snapshot_is_left_to_its_records() {
        let mut world = World::new();
        let earlier = ProcSnapshot::take(world.tracker.proc(), key(4).start).unwrap();
        fs::remove_dir_all(world.of(4)).unwrap();
        world.tracker.reconcile(&earlier);
        world.check(&[], &[(4, 3)]);
    }

    #[test]
    fn an_image_whose_exec_was_lost_is_read_again() {
        let mut world = World::new();
        let before = [2, 4].map(|tgid| world.image(tgid));
        world.run(4, "second");
        world.reconcile();
        assert_eq!(world.image(2), before[0]);
        let (path, begun_ns) = world.image(4);
        assert!(path.ends_with("/second"), "{path}");
        assert_ne!(begun_ns, before[1].1);
    }

    #[test]
    fn a_renamed_image_is_the_same_image() {
        let mut world = World::new();
        let before = world.image(4);
        let image = world.directory.path().join("4-image");
        let renamed = world.directory.path().join("renamed");
        fs::rename(image, &renamed).unwrap();
        fs::remove_file(world.of(4).join("exe")).unwrap();
        symlink(renamed, world.of(4).join("exe")).unwrap();
        world.reconcile();
        assert_eq!(world.image(4), before);
    }
}
