//! What must be reported: exactly what happened, where every record of it has reached the agent; and after a loss
//! nothing that was never so.
//!
//! It knows of each life only whether the agent may be in doubt about it, and since which happening. It does not
//! know how the agent learns things.

use std::ops::Deref;

use collector::event::{Action, Ancestor, Capture, Event, ExecId, Parent, Process, Timestamp};

use super::{
    agent::GRACE_NS,
    proc::TICK_NS,
    world::{Happening, Life, LifeId, Moment, State, World},
};

/// The recording's machine has this offset between its clocks.
const WALL_OFFSET_NS: u64 = 1_795_000_000_000_000_000;

/// Since which happening something is in doubt, if it is.
type Doubt = Option<u64>;

/// What the agent may be wrong about in one life.
#[derive(Clone, Debug)]
struct Known {
    /// There was a record of its begin, or of an image.
    reported: bool,
    /// There was no record of its begin: /proc has it to the clock tick.
    cut: bool,
    /// Which image it runs.
    image: Doubt,
    /// When that was begun.
    begun: Doubt,
    /// Its parent, as an ancestor of others. Its own records state it anew.
    parent: Doubt,
    /// The last end of a parent that was lost.
    parent_lost: u64,
    /// When its end was reported.
    ended_ns: Option<u64>,
}

impl Known {
    /// What was in doubt up to this happening is so no longer; but if it was another image, it is not known when it was begun.
    fn relearn_image(&mut self, up_to: u64) {
        self.begun = self.begun.or(self.image);
        self.image = self.image.filter(|&since| since > up_to);
    }
}

/// What the agent can know.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    known: Vec<Known>,
    /// The last happening before the snapshot that is under way.
    census: u64,
}

impl Oracle {
    fn of(&mut self, life: LifeId) -> &mut Known {
        let doubt = Some(0);
        let unknown = Known {
            reported: false,
            cut: true,
            image: doubt,
            begun: doubt,
            parent: doubt,
            parent_lost: 0,
            ended_ns: None,
        };
        if self.known.len() <= life {
            self.known.resize(life + 1, unknown);
        }
        &mut self.known[life]
    }

    /// The agent has found this process as it started: by a record of its scan, or else in /proc alone.
    pub(crate) fn found(&mut self, life: LifeId, by_scan: bool) {
        let known = self.of(life);
        (known.reported, known.cut, known.image, known.parent) = (true, !by_scan, None, None);
        known.begun = (!by_scan).then_some(0);
    }

    /// A record was lost or read. The records come in the order of what happened.
    pub(crate) fn learn(&mut self, happening: &Happening) {
        let life = happening.line[0].life;
        let forker = happening.line.get(1).map(|parent| self.of(parent.life).clone());
        let lost = happening.record.is_none().then_some(happening.number);
        let known = self.of(life);
        match happening.action {
            Action::Fork if lost.is_none() => {
                (known.reported, known.cut, known.begun) = (true, false, None);
                // Of a forker without any record, /proc may have what it ran after the fork.
                let forker = forker.unwrap();
                known.image = if forker.reported { forker.image } else { Some(happening.number) };
            }
            Action::Exec => {
                known.reported |= lost.is_none();
                (known.image, known.begun) = (lost, lost);
            }
            Action::Exit => self.end(happening, lost),
            _ => {}
        }
        let known = self.of(life);
        if lost.is_none() && known.reported && happening.action != Action::ConnectResult {
            known.parent = None;
        }
    }

    fn end(&mut self, exit: &Happening, lost: Doubt) {
        if lost.is_none() {
            self.of(exit.line[0].life).ended_ns = Some(exit.time_ns);
        }
        for child in &exit.children {
            let known = self.of(*child);
            known.parent = known.parent.or(lost);
            known.parent_lost = lost.unwrap_or(known.parent_lost);
        }
    }

    /// A snapshot of /proc begins, after this happening.
    pub(crate) fn census_begins(&mut self, number: u64) {
        self.census = number;
    }

    /// The agent has it in its table: what runs is known as it was then, except what was lost since.
    pub(crate) fn reconciled(&mut self, world: &World) {
        for id in world.running() {
            let census = self.census;
            let known = self.of(id);
            if !known.reported {
                // There was no record of it yet, so there is nothing to correct.
                continue;
            }
            known.relearn_image(census);
            // The snapshot may repeat what a record has corrected since.
            known.parent = (known.parent_lost > census).then_some(known.parent_lost);
        }
    }

    /// Nothing is in doubt any more of what runs, but when an image was begun whose exec was lost, and what was inherited
    /// after the last snapshot from a process without any record.
    pub(crate) fn all_is_known(&mut self, world: &World) {
        for id in world.running() {
            let census = self.census;
            let known = self.of(id);
            known.relearn_image(census);
            (known.reported, known.parent) = (true, None);
        }
    }

    /// Holds the event of a record against what happened.
    pub(crate) fn check(&self, happening: &Happening, event: Option<&Event>, world: &World) {
        let Some(event) = event else {
            assert!(happening.again, "{happening:?} is not reported");
            return;
        };
        assert!(!happening.again, "an exit is reported twice");
        assert_eq!(event.action(), happening.action);
        let check = Check { oracle: self, world, capture: &event.capture, happening };
        check.process(event.process.as_ref().unwrap());
    }
}

/// One event against one happening.
struct Check<'a> {
    oracle: &'a Oracle,
    world: &'a World,
    capture: &'a Capture,
    happening: &'a Happening,
}

impl Check<'_> {
    fn life(&self, moment: &Moment) -> &Life {
        &self.world.lives[moment.life]
    }

    fn known(&self, moment: &Moment) -> &Known {
        &self.oracle.known[moment.life]
    }

    /// The result of a connect comes late: the process may have another image and another parent by then, or be forgotten.
    fn is_late(&self) -> bool {
        self.happening.action == Action::ConnectResult
    }

    #[track_caller]
    fn is_missing(&self, field: &str, why: &str) {
        let missing = self.capture.missing.get(field);
        assert!(missing.is_some(), "{field} is absent without a reason, and {why}: {:?}", self.happening);
        assert_eq!(missing.unwrap().0, "exited", "{field}");
    }

    fn process(&self, process: &Process) {
        let me = &self.happening.line[0];
        let life = self.life(me);
        assert_eq!(process.pid, Some(life.pid()));
        self.start(me, process.start);
        assert_eq!(process.comm.as_deref(), Some(if me.life == 0 { "init" } else { "made" }));
        self.entity("process.entity_id", me, process.entity_id.map(|id| id.to_string()));
        self.exec_id("process.exec_id", me, process.exec_id);
        self.executable("process.executable", me, process.executable.as_deref());
        self.args(me, process);
        match (&self.happening.line[..], &process.parent) {
            ([_], None) => assert!(process.ancestors.is_none()),
            ([_, parent, ..], Some(reported)) => {
                self.parent(parent, reported);
                self.ancestors(process.ancestors.as_ref().map_or(&[], |line| line.as_slice()));
            }
            (line, reported) => panic!("the parent of {line:?} is reported as {reported:?}"),
        }
    }

    fn start(&self, of: &Moment, reported: Option<Timestamp>) {
        let start_ns = self.life(of).start_ns();
        let reported = reported.unwrap();
        let is_cut = self.known(of).cut && reported == wall(start_ns - start_ns % TICK_NS);
        assert!(reported == wall(start_ns) || is_cut, "{of:?} began at {reported:?}");
    }

    /// It is the life's own, or there was no record of the life and the reason is there.
    fn entity(&self, field: &str, of: &Moment, reported: Option<String>) {
        let (life, known) = (self.life(of), self.known(of));
        if let Some(reported) = reported {
            assert_eq!(reported, life.entity_id, "{field} of {of:?}");
            return;
        }
        let forgotten = known.ended_ns.is_some_and(|ended_ns| self.world.now_ns - ended_ns >= GRACE_NS);
        let gone = life.state != State::Running;
        assert!(!known.reported || (self.is_late() && (forgotten || gone)), "{field} of {of:?} is absent");
        self.is_missing(field, "no record of the process");
    }

    fn exec_id(&self, field: &str, of: &Moment, reported: Option<ExecId>) {
        self.entity(field, of, reported.map(|id| id.entity_id.to_string()));
        if let (Some(reported), None) = (reported, self.known(of).begun)
            && !self.is_late()
        {
            assert_eq!(reported.begun_ns, of.begun_ns, "{field} of {of:?}");
        }
    }

    fn executable(&self, field: &str, of: &Moment, reported: Option<&str>) {
        let sure = self.known(of).image.is_none() && !self.is_late();
        let Some(reported) = reported else {
            assert!(!sure, "{field} of {of:?} is absent in {:?}", self.happening);
            return self.is_missing(field, "it is not sure");
        };
        if sure {
            assert_eq!(
                reported,
                self.world.shown.image(of.image),
                "{field} of {of:?} in {:?}",
                self.happening
            );
        }
        assert!(
            self.world.may_have_run(of.life, reported),
            "{field} was never {reported} in {:?}",
            self.happening
        );
    }

    /// The arguments belong to the reported image: its path alone.
    fn args(&self, of: &Moment, process: &Process) {
        match (&process.args, &process.executable) {
            (Some(args), Some(executable)) => {
                assert!(args.iter().eq([&**executable]), "{args:?}, not {executable}");
            }
            // A process may become a zombie between two reads.
            (_, reported) => assert!(self.known(of).image.is_some() || reported.is_none() || self.is_late()),
        }
    }

    fn parent(&self, parent: &Moment, reported: &Parent) {
        let life = self.life(parent);
        assert_eq!(reported.pid, Some(life.pid()), "the parent in {:?}", self.happening);
        self.start(parent, reported.start);
        self.entity("process.parent.entity_id", parent, reported.entity_id.map(|id| id.to_string()));
        self.exec_id("process.parent.exec_id", parent, reported.exec_id);
        self.executable("process.parent.executable", parent, reported.executable.as_deref());
    }

    /// Nearest first: the line as it was, where no parent of it is in doubt.
    fn ancestors<A: Deref<Target = Ancestor>>(&self, reported: &[A]) {
        let above = &self.happening.line[1..];
        if self.is_late() || above.iter().any(|ancestor| self.known(ancestor).parent.is_some()) {
            return self.doubtful_ancestors(reported);
        }
        let pids: Vec<_> = reported.iter().map(|ancestor| ancestor.pid.unwrap()).collect();
        let expected: Vec<_> = above.iter().map(|ancestor| self.life(ancestor).pid()).collect();
        assert_eq!(pids, expected, "the ancestors in {:?}", self.happening);
        for (place, (ancestor, reported)) in above.iter().zip(reported).enumerate() {
            self.start(ancestor, reported.start);
            self.entity("process.ancestors", ancestor, reported.entity_id.map(|id| id.to_string()));
            let own = format!("process.ancestors[{place}].executable");
            let field = if reported.entity_id.is_none() { "process.ancestors" } else { &own };
            self.executable(field, ancestor, reported.executable.as_deref());
        }
    }

    /// Each was above the one before at some time, and the last is pid 1, or the reason why it is not is there.
    fn doubtful_ancestors<A: Deref<Target = Ancestor>>(&self, reported: &[A]) {
        let mut below = self.happening.line[0].life;
        for reported in reported {
            let tick = |start: Timestamp| start.0 / TICK_NS.cast_signed();
            let is_reported = |life: &Life| {
                Some(life.pid()) == reported.pid
                    && reported.start.map(tick) == Some(tick(wall(life.start_ns())))
            };
            let above = self.world.lives.iter().position(is_reported);
            let above = above.unwrap_or_else(|| panic!("{:?} never was", **reported));
            assert!(self.was_above(below, above), "{above} was never above {below} in {:?}", self.happening);
            below = above;
        }
        if below != 0 {
            self.is_missing("process.ancestors", "the line does not end at pid 1");
        }
    }

    /// Whether it was the parent, or became it by what the agent may know: the line of one that has ended, which the agent may
    /// not know, is followed on over those that ended after it, however many they are.
    fn was_above(&self, child: LifeId, above: LifeId) -> bool {
        let was_parent = |parent| self.world.parents.contains(&(child, parent));
        // Who is a parent began before its child, so the walk ends.
        let mut between = (0..child).filter(|between| was_parent(*between));
        was_parent(above) || between.any(|between| self.was_above(between, above))
    }
}

fn wall(boottime_ns: u64) -> Timestamp {
    Timestamp((boottime_ns + WALL_OFFSET_NS).cast_signed())
}
