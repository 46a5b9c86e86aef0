//! What truly happens: processes begin, run images, connect and end, over so few pids that each is used again and again.
//!
//! Each happening puts a record into the ring, or is lost on the way there. /proc shows at once what is.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
};

use collector::event::Action;
use collector_tests::cpid::{Identity, cpid, uuid_bytes};

use super::proc::{IMAGES, ShownProc, TICK_NS};
use crate::common::made::{INIT, Made, Pieces, with_pieces};

/// The highest pid.
pub(crate) const PIDS: u32 = 7;
/// Between two happenings: more than a tick, and no multiple of one.
const STEP_NS: u64 = TICK_NS + 1_234_567;
/// When the first process began.
const BEGIN_NS: u64 = 20_000_000;

/// Of the recording's machine and of the fake /proc.
const BOOT: &str = "11111111-2222-4333-8444-555555555555";
const PID_NAMESPACE: u64 = 4_026_531_836;

/// A life's number, in the order of their starts.
pub(crate) type LifeId = usize;

/// What may happen. A number chooses who does it, among those who can.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Fork {
        by: usize,
        pid: usize,
        lost: bool,
    },
    Exec {
        of: usize,
        image: usize,
        lost: bool,
    },
    Exit {
        of: usize,
        reaper: usize,
        waited_for: bool,
        twice: bool,
        lost: bool,
    },
    /// Whoever has ended is waited for.
    Wait,
    Connect {
        of: usize,
        lost: bool,
    },
    /// A connect comes to its end, its process may have before.
    Result {
        of: usize,
        lost: bool,
    },
    /// Time goes by.
    Pass {
        ms: u64,
    },
    /// The agent reads some records.
    Read {
        records: usize,
    },
    /// The agent notices what was lost, and begins a snapshot of /proc if it must.
    Notice,
    /// The snapshot is complete, and what was in the ring by then has been read.
    Reconcile,
}

/// One life of a pid.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) made: Made,
    /// Who forked it.
    forker: LifeId,
    pub(crate) parent: LifeId,
    pub(crate) image: usize,
    /// When its image was begun.
    pub(crate) begun_ns: u64,
    pub(crate) state: State,
    pub(crate) entity_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    Zombie,
    Gone,
}

/// A process at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) life: LifeId,
    pub(crate) image: usize,
    pub(crate) begun_ns: u64,
}

/// What happened, and the record of it.
#[derive(Clone)]
pub(crate) struct Happening {
    pub(crate) action: Action,
    /// `None`: it was lost.
    pub(crate) record: Option<Vec<u8>>,
    pub(crate) time_ns: u64,
    /// Its place among all.
    pub(crate) number: u64,
    /// The process, its parent and all above, as they were.
    pub(crate) line: Vec<Moment>,
    /// Of an exit: whose parent it was.
    pub(crate) children: Vec<LifeId>,
    /// Of an exit: it is the second record of one.
    pub(crate) again: bool,
}

/// Everything that is so.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) shown: ShownProc,
    pub(crate) lives: Vec<Life>,
    pub(crate) ring: VecDeque<Happening>,
    pub(crate) now_ns: u64,
    pub(crate) number: u64,
    /// Each parent that each life ever had, and each image.
    pub(crate) parents: HashSet<(LifeId, LifeId)>,
    ran: HashSet<(LifeId, usize)>,
    /// Connects whose end has not come: the life, and the line at the connect.
    open: Vec<(Made, Vec<Moment>, u64)>,
}

impl World {
    /// With pid 1 and a line of `below` processes below it.
    pub(crate) fn new(below: u32) -> Self {
        let mut world = Self {
            shown: ShownProc::new(),
            lives: Vec::new(),
            ring: VecDeque::new(),
            now_ns: BEGIN_NS,
            number: 0,
            parents: HashSet::new(),
            ran: HashSet::new(),
            open: Vec::new(),
        };
        for pid in INIT..=INIT + below {
            let parent = world.lives.len().saturating_sub(1);
            world.begin(pid, parent, 0);
            world.pass(STEP_NS);
        }
        world
    }

    pub(crate) fn pass(&mut self, ns: u64) {
        self.now_ns += ns;
    }

    /// The lives that have not ended.
    pub(crate) fn running(&self) -> Vec<LifeId> {
        let ids = 0..self.lives.len();
        ids.filter(|&id| self.lives[id].state == State::Running).collect()
    }

    /// The pids that are free: no zombie has them either.
    pub(crate) fn free(&self) -> Vec<u32> {
        let taken = |pid| self.lives.iter().any(|life| life.pid() == pid && life.state != State::Gone);
        (INIT + 1..=PIDS).filter(|&pid| !taken(pid)).collect()
    }

    /// A process, its parent and all above.
    pub(crate) fn line(&self, of: LifeId) -> Vec<Moment> {
        let moment = |id: LifeId| {
            let Life { image, begun_ns, .. } = self.lives[id];
            Moment { life: id, image, begun_ns }
        };
        let above = std::iter::successors(Some(of), |&id| (id != 0).then(|| self.lives[id].parent));
        above.map(moment).collect()
    }

    /// Whether a life ran an image, or may be taken to: where a record was lost, what /proc has of the parent may be later
    /// than the fork.
    pub(crate) fn may_have_run(&self, life: LifeId, path: &str) -> bool {
        let ran = |id: LifeId| {
            (0..IMAGES).any(|image| self.shown.image(image) == path && self.ran.contains(&(id, image)))
        };
        let line = std::iter::successors(Some(life), |&id| (id != 0).then(|| self.lives[id].forker));
        line.into_iter().any(ran)
    }

    fn begin(&mut self, pid: u32, parent: LifeId, image: usize) -> LifeId {
        let id = self.lives.len();
        let made = if pid == INIT { Made::init() } else { Made::new(pid, self.now_ns) };
        let entity_id = entity_id(pid, self.now_ns);
        let (begun_ns, state) = (self.now_ns, State::Running);
        let life = Life { made, forker: parent, parent, image, begun_ns, state, entity_id };
        self.lives.push(life);
        self.ran.insert((id, image));
        self.adopt(id, parent);
        self.shown.show(pid, self.now_ns, self.parent_pid(id), image);
        id
    }

    /// Gives a life its parent.
    fn adopt(&mut self, id: LifeId, parent: LifeId) {
        self.lives[id].parent = parent;
        if id != parent {
            self.parents.insert((id, parent));
            self.lives[id].made = self.lives[id].made.below(&self.lives[parent].made);
        }
    }

    /// Shows the state and the parent of a life.
    fn show(&self, id: LifeId) {
        let life = &self.lives[id];
        let state = match life.state {
            State::Running => 'S',
            State::Zombie => 'Z',
            State::Gone => return self.shown.forget(life.pid()),
        };
        self.shown.show_stat(life.pid(), state, life.start_ns(), self.parent_pid(id));
    }

    fn parent_pid(&self, id: LifeId) -> u32 {
        if id == 0 { 0 } else { self.lives[self.lives[id].parent].pid() }
    }

    fn put(&mut self, action: Action, line: Vec<Moment>, record: Vec<u8>, lost: bool) -> &mut Happening {
        self.number += 1;
        let happening = Happening {
            action,
            record: (!lost).then_some(record),
            time_ns: self.now_ns,
            number: self.number,
            line,
            children: Vec::new(),
            again: false,
        };
        self.ring.push_back(happening);
        self.ring.back_mut().unwrap()
    }

    /// Lets a step happen that is the world's; answers `false` where it cannot now, or is the agent's.
    pub(crate) fn take(&mut self, step: &Step) -> bool {
        self.pass(STEP_NS);
        let running = self.running();
        // Pid 1 does not end.
        let (mortal, free) = (running.get(1..).unwrap_or_default(), self.free());
        match *step {
            Step::Fork { by, pid, lost } if !free.is_empty() => {
                self.fork(pick(&running, by), pick(&free, pid), lost);
            }
            Step::Exec { of, image, lost } => self.exec(pick(&running, of), image % IMAGES, lost),
            Step::Exit { of, reaper, waited_for, twice, lost } if !mortal.is_empty() => {
                self.exit(pick(mortal, of), reaper, waited_for, lost);
                if twice && !lost {
                    let mut again = self.ring.back().unwrap().clone();
                    (again.again, again.children) = (true, Vec::new());
                    self.ring.push_back(again);
                }
            }
            Step::Wait => self.wait(),
            Step::Connect { of, lost } => self.connect(pick(&running, of), lost),
            Step::Result { of, lost } if !self.open.is_empty() => self.result(of, lost),
            Step::Pass { ms } => self.pass(ms * 1_000_000),
            _ => return false,
        }
        true
    }

    /// Lets this one connect.
    pub(crate) fn connect_of(&mut self, of: LifeId) {
        self.pass(STEP_NS);
        self.connect(of, false);
    }

    /// Lets this one fork, where a pid is free.
    pub(crate) fn fork_of(&mut self, by: LifeId) {
        self.pass(STEP_NS);
        if let Some(pid) = self.free().first() {
            self.fork(by, *pid, false);
        }
    }

    fn fork(&mut self, by: LifeId, pid: u32, lost: bool) {
        let id = self.begin(pid, by, self.lives[by].image);
        self.put(Action::Fork, self.line(id), self.lives[id].made.fork(), lost);
    }

    fn exec(&mut self, of: LifeId, image: usize, lost: bool) {
        (self.lives[of].image, self.lives[of].begun_ns) = (image, self.now_ns);
        self.ran.insert((of, image));
        self.shown.show_image(self.lives[of].pid(), image);
        let path = self.shown.image(image).as_bytes();
        let args = [path, b"\0"].concat();
        let pieces = Pieces { path, cwd: b"/", args: &args, ..Pieces::default() };
        let mut fixed = self.lives[of].made.exec_fixed(self.now_ns, &pieces);
        fixed.exe.inode = self.shown.inode(image);
        let record = with_pieces(&fixed, &pieces);
        self.put(Action::Exec, self.line(of), record, lost);
    }

    fn exit(&mut self, of: LifeId, reaper: usize, waited_for: bool, lost: bool) {
        let line = self.line(of);
        let reaper = line[1 + reaper % (line.len() - 1)].life;
        let record = self.lives[of].made.exit_to(&self.lives[reaper].made, self.now_ns, 0);
        let orphans = 0..self.lives.len();
        let is_child = |id: &LifeId| {
            let life = &self.lives[*id];
            *id != 0 && life.parent == of && life.state != State::Gone
        };
        let children: Vec<LifeId> = orphans.filter(is_child).collect();
        self.put(Action::Exit, line, record, lost).children.clone_from(&children);
        self.lives[of].state = if waited_for { State::Gone } else { State::Zombie };
        self.shown.bury(self.lives[of].pid());
        self.show(of);
        for child in children {
            self.adopt(child, reaper);
            self.show(child);
        }
    }

    fn wait(&mut self) {
        for id in 0..self.lives.len() {
            if self.lives[id].state == State::Zombie {
                self.lives[id].state = State::Gone;
                self.show(id);
            }
        }
    }

    fn connect(&mut self, of: LifeId, lost: bool) {
        let (line, made) = (self.line(of), self.lives[of].made);
        let cookie = self.number + 1;
        self.open.push((made, line.clone(), cookie));
        self.put(Action::Connect, line, made.connect(self.now_ns, cookie), lost);
    }

    fn result(&mut self, of: usize, lost: bool) {
        let (made, line, cookie) = self.open.swap_remove(of % self.open.len());
        self.put(Action::ConnectResult, line, made.connect_result(self.now_ns, cookie, 0), lost);
    }
}

impl Life {
    pub(crate) fn pid(&self) -> u32 {
        self.made.task.state.tgid
    }

    pub(crate) fn start_ns(&self) -> u64 {
        self.made.task.state.start_ns
    }
}

impl fmt::Debug for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = if self.record.is_none() { " (lost)" } else { "" };
        write!(f, "{} {:?}{lost} of {:?}", self.number, self.action, self.line)
    }
}

fn pick<T: Copy>(of: &[T], number: usize) -> T {
    of[number % of.len()]
}

fn entity_id(pid: u32, start_ns: u64) -> String {
    cpid(&Identity {
        boot: uuid_bytes(BOOT),
        pid_namespace: PID_NAMESPACE,
        start_ticks: start_ns / TICK_NS,
        innermost_tgid: pid.into(),
    })
}
