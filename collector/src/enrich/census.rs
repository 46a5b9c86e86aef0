//! After records were lost: the table held against the processes that /proc lists.
//!
//! A lost exit leaves an entry that would stay for ever, and be the parent of children that have another one by now; a lost
//! exec leaves the image from before. A lost fork leaves nothing: the process is looked for when a record names it, and may
//! run another image by then than its children were forked with. So images are learnt anew whatever was lost.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use super::{Enricher, image::Image, open, process::is_kernel};
use crate::{
    event::ExecId,
    known::Known,
    process::{KernelTimeNs, ProcessKey, Tgid},
    procfs::{Proc, ProcFile, ProcLink, StartTicks, Stat, link::without_deleted},
};

/// Most bytes of stat that are read.
const STAT_MAX: usize = 4096;

/// The processes that there were at one moment.
#[derive(Debug)]
pub struct Census {
    began: KernelTimeNs,
    listed: HashMap<Tgid, Listed>,
}

#[derive(Debug)]
struct Listed {
    start: StartTicks,
    parent: Tgid,
    /// Where the image is, as /proc tells it.
    exe: Option<Vec<u8>>,
}

impl Census {
    /// Takes it, `began` being now: some ten microseconds for each process, so not on the thread that reads the records.
    /// `None` where /proc cannot be listed.
    #[must_use]
    pub fn take(proc: &Proc, began: KernelTimeNs) -> Option<Self> {
        let tgids = proc.tgids().ok()?;
        let listed = tgids.into_iter().filter_map(|tgid| Some((Tgid(tgid), listed(proc, tgid)?)));
        Some(Self { began, listed: listed.collect() })
    }

    /// The process of this key, where it was there.
    fn of(&self, key: ProcessKey) -> Option<&Listed> {
        self.listed.get(&key.tgid).filter(|listed| listed.start == key.start.to_ticks())
    }
}

/// `None` for one that is gone, or a zombie.
fn listed(proc: &Proc, tgid: u32) -> Option<Listed> {
    let process = proc.process(tgid, None).ok()?;
    let mut bytes = Vec::new();
    process.read_into(ProcFile::Stat, &mut bytes, STAT_MAX).ok()?;
    let stat = Stat::parse(&bytes).filter(|stat| !stat.is_dead())?;
    Some(Listed { start: stat.starttime, parent: Tgid(stat.ppid), exe: process.link(ProcLink::Exe).ok() })
}

impl Enricher {
    /// Where a [`Census`] is taken.
    #[must_use]
    pub fn proc(&self) -> Arc<Proc> {
        self.proc.clone()
    }

    /// Ends the processes that are gone, and learns parents and images anew.
    ///
    /// To be called once every record that was in the ring when the census was over has been taken in: an exit is in the
    /// ring before /proc forgets the process.
    pub fn reconcile(&mut self, census: &Census) {
        let running = self.table.running().map(|(key, _)| key);
        let before: Vec<ProcessKey> = running.filter(|key| key.start < census.began).collect();
        let (there, gone): (Vec<_>, Vec<_>) = before.into_iter().partition(|key| census.of(*key).is_some());
        for key in gone {
            // Asked once more, as one that had only just begun may have been overlooked.
            if !self.proc.is_alive(key.tgid.0, key.start.to_ticks()).unwrap_or(true) {
                self.table.end_unseen(key, census.began);
            }
        }
        let by_tgid: HashMap<Tgid, ProcessKey> = there.iter().map(|key| (key.tgid, *key)).collect();
        for key in there {
            let Some(listed) = census.of(key) else { continue };
            self.learn_parent(key, census, by_tgid.get(&listed.parent));
            if let Some(exe) = &listed.exe {
                self.learn_image(key, exe, census.began);
            }
        }
        self.learn_inherited(census.began);
    }

    /// Learns what those run that were forked since the census: they may have inherited an image that their parent did not
    /// run any more.
    fn learn_inherited(&mut self, began: KernelTimeNs) {
        let since = self.table.running().filter(|(key, _)| key.start >= began);
        let heirs: Vec<_> = since.filter(|(_, process)| process.inherited).map(|(key, _)| key).collect();
        for key in heirs {
            if let Ok(exe) = open(&self.proc, key).and_then(|process| process.link(ProcLink::Exe)) {
                self.learn_image(key, &exe, key.start);
            }
        }
    }

    /// Takes the parent that a process had at the census; `known` is that one where the table has it as running.
    fn learn_parent(&mut self, key: ProcessKey, census: &Census, known: Option<&ProcessKey>) {
        let Some(tgid) = census.of(key).map(|listed| listed.parent) else { return };
        if let Some(parent) = known {
            return self.table.set_parent(key, *parent);
        }
        let start = census.listed.get(&tgid).map(|parent| parent.start);
        let listed = start.map(|start| ProcessKey { tgid, start: KernelTimeNs::from_ticks(start) });
        if let Some(ended) = listed.and_then(|parent| self.table.ended_of_tick(parent)) {
            // It has ended since and handed its children over, as its exit told: the walk up goes on there.
            return self.table.set_parent(key, ended);
        }
        let runs = || start.is_some_and(|start| self.proc.is_alive(tgid.0, start).unwrap_or(false));
        if self.table.parent(key).is_some_and(|parent| parent.tgid != tgid) && runs() {
            self.table.set_parent(key, ProcessKey { tgid, start: self.start_of_parent(tgid, key) });
        }
    }

    /// Takes the image that a process runs by now, where neither its path nor its file is the known one, if any is.
    fn learn_image(&mut self, key: ProcessKey, exe: &[u8], at: KernelTimeNs) {
        let Some(entry) = self.table.get(key) else { return };
        let inode_of = |image: &Image| image.file.value().map(|file| file.inode);
        let known = entry.process.image.clone();
        let exe = without_deleted(exe, false).path;
        let is_known = known.executable.value().is_some_and(|path| path.bytes() == exe);
        if is_known || is_kernel(&entry.process.task.state) {
            return;
        }
        let Ok(process) = open(&self.proc, key) else { return };
        let (image, _) = Image::of_running(&process, &self.options.redactor, &mut self.parts);
        if !matches!(image.file, Known::Value { .. }) || inode_of(&image) == inode_of(&known) {
            return;
        }
        if let Some(process) = self.table.get_mut(key) {
            let exec_id = ExecId { begun_ns: at.0, ..process.exec_id };
            *process = Rc::new(process.with_image(Rc::new(image), exec_id));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, path::PathBuf, sync::Arc, time::Instant};

    use collector_common::{Kind, TaskRecord, WIRE_VERSION};
    use zerocopy::{FromZeros as _, IntoBytes as _};

    use super::{Census, Enricher, KernelTimeNs, ProcessKey};
    use crate::{
        clock::boottime_ns,
        config::Config,
        decode::decode,
        event::ExecId,
        machine::Machine,
        options,
        procfs::{Proc, StartTicks},
    };

    /// In ticks since boot.
    const START: u64 = 5;

    fn key(tgid: u32) -> ProcessKey {
        ProcessKey::new(tgid, StartTicks(START).to_boottime_ns())
    }

    fn now() -> KernelTimeNs {
        KernelTimeNs(boottime_ns())
    }

    /// A fake /proc and the table.
    struct World {
        directory: tempfile::TempDir,
        enricher: Enricher,
    }

    impl World {
        /// A chain: 1 is the parent of 2, 2 of 3, 3 of 4; all of them run, and their forks have been told.
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let proc = Arc::new(Proc::at(directory.path()).unwrap());
            let machine = Machine::this(&proc, false);
            let enricher = Enricher::new(machine, proc, None, options::enrich(&Config::default()));
            let mut world = Self { directory, enricher };
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

        fn show(&self, tgid: u32, ppid: u32, state: char) {
            let stat = format!(
                "{tgid} (x) {state} {ppid} 7 7 0 -1 4 1 2 3 4 50 60 7 8 20 0 1 0 {START} 1024 9 0 0\n"
            );
            fs::create_dir_all(self.of(tgid)).unwrap();
            fs::write(self.of(tgid).join("stat"), stat).unwrap();
        }

        /// The image that it runs from now on.
        fn run(&self, tgid: u32, name: &str) {
            let image = self.directory.path().join(name);
            fs::write(&image, name).unwrap();
            let link = self.of(tgid).join("exe");
            let _ = fs::remove_file(&link);
            symlink(image, link).unwrap();
        }

        fn fork(&mut self, tgid: u32) {
            let mut fork = TaskRecord::new_zeroed();
            (fork.header.version, fork.header.kind) = (WIRE_VERSION, Kind::Fork.to_wire());
            fork.header.len = size_of::<TaskRecord>().try_into().unwrap();
            (fork.task.state.tgid, fork.task.state.start_ns) = (tgid, key(tgid).start.0);
            (fork.task.state.parent_tgid, fork.task.state.parent_start_ns) = (tgid - 1, key(tgid).start.0);
            let (record, now) = (fork.as_bytes().to_vec(), Instant::now());
            self.enricher.enrich(&decode(&record).unwrap(), now);
            assert!(self.enricher.table.get(key(tgid)).is_some());
        }

        /// The path of its image as the table has it, and its `exec_id`.
        fn image(&self, tgid: u32) -> (String, ExecId) {
            let process = &self.enricher.table.get(key(tgid)).unwrap().process;
            let path = process.image.executable.value().unwrap().shown().to_string();
            (path, process.exec_id)
        }

        fn reconcile(&mut self) {
            let census = Census::take(&self.enricher.proc(), now()).unwrap();
            self.enricher.reconcile(&census);
        }

        #[track_caller]
        fn check(&mut self, ended: &[u32], parents: &[(u32, u32)]) {
            for tgid in 1..=4 {
                assert_eq!(
                    self.enricher.table.has_ended(key(tgid)),
                    ended.contains(&tgid),
                    "{tgid} has ended"
                );
            }
            for (child, parent) in parents {
                assert_eq!(self.enricher.table.parent(key(*child)), Some(key(*parent)), "parent of {child}");
            }
        }
    }

    #[test]
    fn a_process_whose_exit_was_lost_ends_and_its_child_has_the_parent_that_proc_tells() {
        let mut world = World::new();
        fs::remove_dir_all(world.of(3)).unwrap();
        world.show(4, 1, 'S');
        world.check(&[], &[(4, 3)]);
        world.reconcile();
        world.check(&[3], &[(4, 1), (2, 1)]);
        assert_eq!(world.enricher.table_counters().ended_unseen, 1);
    }

    #[test]
    fn a_zombie_has_ended_and_what_runs_has_not() {
        let mut world = World::new();
        world.show(3, 2, 'Z');
        world.show(2, 1, 'T');
        world.reconcile();
        world.check(&[3], &[(2, 1)]);
    }

    #[test]
    fn another_life_of_an_id_is_no_sign_of_the_first() {
        let mut world = World::new();
        let stat = "4 (x) S 3 7 7 0 -1 4 1 2 3 4 50 60 7 8 20 0 1 0 6 1024 9 0 0\n";
        fs::write(world.of(4).join("stat"), stat).unwrap();
        world.reconcile();
        world.check(&[4], &[]);
    }

    #[test]
    fn a_process_that_began_after_the_census_is_left_to_its_records() {
        let mut world = World::new();
        let earlier = Census::take(&world.enricher.proc(), key(4).start).unwrap();
        fs::remove_dir_all(world.of(4)).unwrap();
        world.enricher.reconcile(&earlier);
        world.check(&[], &[(4, 3)]);
    }

    #[test]
    fn an_image_whose_exec_was_lost_is_learnt() {
        let mut world = World::new();
        let before = [2, 4].map(|tgid| world.image(tgid));
        world.run(4, "second");
        world.reconcile();
        assert_eq!(world.image(2), before[0]);
        let (path, exec_id) = world.image(4);
        assert!(path.ends_with("/second"), "{path}");
        assert_ne!(exec_id, before[1].1);
    }

    #[test]
    fn an_image_that_was_renamed_is_the_same_image() {
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
