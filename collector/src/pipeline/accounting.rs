//! The count of everything: seen = written + filtered + lost, for each action.

use std::collections::BTreeMap;

use collector_common::{self as common, Kind};

use crate::event::{Action, Counters, CountersOf, LossReason};

/// The action that records of a kind become.
#[must_use]
pub fn action_of(kind: Kind) -> Action {
    match kind {
        Kind::Fork => Action::Fork,
        Kind::Exec => Action::Exec,
        Kind::Exit => Action::Exit,
        Kind::Connect => Action::Connect,
        Kind::ConnectResult => Action::ConnectResult,
        Kind::Task => Action::Snapshot,
    }
}

fn reason_of(loss: common::Loss) -> LossReason {
    match loss {
        common::Loss::RingFull => LossReason::RingFull,
        common::Loss::ReserveFailed => LossReason::ReserveFailed,
        common::Loss::TableFull => LossReason::TableFull,
    }
}

/// What was lost, by the reason and the action; `None` if a broken record does not say which.
pub type Losses = BTreeMap<(Option<Action>, LossReason), u64>;

/// Counts what happens to events.
#[derive(Debug, Default)]
pub struct Accounting {
    counters: BTreeMap<Option<Action>, CountersOf>,
    /// Losses that the stream has not reported yet.
    unreported: Losses,
    /// Events over the limit since the kernel side's counters were read last: one `loss` event reports them all.
    limited: BTreeMap<Action, u64>,
    /// Whether records were lost that the process table needed.
    table_loss: bool,
    /// The kernel side's counters, as they were last.
    kernel: common::Counters,
}

impl Accounting {
    /// Counts an event that the agent makes itself: nobody else has seen it.
    pub fn made(&mut self, action: Action) {
        self.of(Some(action)).seen += 1;
    }

    /// Counts an event that was written.
    pub fn written(&mut self, action: Action) {
        self.of(Some(action)).written += 1;
    }

    /// Counts an event that is not wanted.
    pub fn filtered(&mut self, action: Action) {
        self.of(Some(action)).filtered += 1;
    }

    /// Counts wanted events over the limit of their image. The caller counts them as filtered too.
    pub fn limited(&mut self, action: Action, count: u64) {
        if count > 0 {
            *self.limited.entry(action).or_default() += count;
            *self.of(Some(action)).limited.get_or_insert_default() += count;
        }
    }

    /// Counts an event that found the queue full. The table has its record.
    pub fn queue_full(&mut self, action: Action) {
        self.lose(Some(action), LossReason::QueueFull, 1);
    }

    /// Counts a record that cannot be decoded. The action is that of its kind, if that can be read.
    pub fn broken(&mut self, action: Option<Action>) {
        self.lose(action, LossReason::Decode, 1);
        self.note_table_loss(action);
        if action.is_none() {
            // The kernel side has counted it under its action, where it will be missing; this row adds up by itself.
            self.of(None).seen += 1;
        }
    }

    /// Sets how many processes ended without an event of their exit.
    pub fn ended_unseen(&mut self, processes: u64) {
        if processes > 0 {
            self.of(Some(Action::Exit)).ended_unseen = Some(processes);
        }
    }

    /// Adds what the kernel side counted since the last call.
    pub fn kernel(&mut self, now: &common::Counters) {
        for kind in Kind::ALL {
            let action = action_of(kind);
            let index = kind.index();
            let at = |counters: &common::Counters| counters.seen.get(index).copied().unwrap_or(0);
            self.of(Some(action)).seen += at(now).saturating_sub(at(&self.kernel));
            for loss in common::Loss::ALL {
                let at = |counters: &common::Counters| {
                    counters.lost.get(index).and_then(|lost| lost.get(loss.index())).copied().unwrap_or(0)
                };
                let lost = at(now).saturating_sub(at(&self.kernel));
                if lost > 0 {
                    self.lose(Some(action), reason_of(loss), lost);
                    self.note_table_loss(Some(action));
                }
            }
        }
        self.kernel_filtered(now);
        if now.udp_folded > 0 {
            self.of(Some(Action::Connect)).folded = Some(now.udp_folded);
        }
        self.kernel = *now;
    }

    /// Adds the connects that the kernel side did not send, and has the stream report what was over the limit.
    fn kernel_filtered(&mut self, now: &common::Counters) {
        let by_rule = now.connects_by_rule.saturating_sub(self.kernel.connects_by_rule);
        let by_limit = now.connects_by_limit.saturating_sub(self.kernel.connects_by_limit);
        self.of(Some(Action::Connect)).filtered += by_rule + by_limit;
        self.limited(Action::Connect, by_limit);
        for (action, count) in std::mem::take(&mut self.limited) {
            *self.unreported.entry((Some(action), LossReason::Filtered)).or_default() += count;
        }
    }

    /// How many events were seen and neither written, filtered nor lost yet.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.counters
            .values()
            .map(|counters| {
                counters.seen.saturating_sub(counters.written + counters.filtered + counters.lost)
            })
            .sum()
    }

    /// The losses since the last call, for the stream to report.
    pub fn take_unreported(&mut self) -> Losses {
        std::mem::take(&mut self.unreported)
    }

    /// Whether there are losses that the stream has not reported.
    #[must_use]
    pub fn has_unreported(&self) -> bool {
        !self.unreported.is_empty()
    }

    /// The counters, as on `agent-stop`.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let name = |action: &Option<Action>| action.map_or("unknown", Action::name).to_owned();
        self.counters.iter().map(|(action, counters)| (name(action), counters.clone())).collect()
    }

    /// Whether records that the process table needed were lost since the last call.
    pub fn take_table_loss(&mut self) -> bool {
        std::mem::take(&mut self.table_loss)
    }

    /// Notes that a record did not reach the process table. One without an action may be of any kind.
    fn note_table_loss(&mut self, action: Option<Action>) {
        self.table_loss |= matches!(action, None | Some(Action::Fork | Action::Exec | Action::Exit));
    }

    fn lose(&mut self, action: Option<Action>, reason: LossReason, count: u64) {
        let counters = self.of(action);
        counters.lost += count;
        *counters.lost_by_reason.entry(reason).or_default() += count;
        *self.unreported.entry((action, reason)).or_default() += count;
    }

    fn of(&mut self, action: Option<Action>) -> &mut CountersOf {
        self.counters.entry(action).or_default()
    }
}

#[cfg(test)]
mod tests {
    use collector_common::{Counters, Kind, Loss};

    use super::Accounting;
    use crate::event::{Action, LossReason};

    fn kernel(seen: u64, ring_full: u64) -> Counters {
        let mut counters = Counters::default();
        counters.seen[Kind::Exec.index()] = seen;
        counters.lost[Kind::Exec.index()][Loss::RingFull.index()] = ring_full;
        counters
    }

    #[test]
    fn a_loss_of_the_kernel_side_is_reported_once() {
        let mut accounting = Accounting::default();
        accounting.kernel(&kernel(10, 3));
        accounting.kernel(&kernel(10, 3));
        assert_eq!(accounting.take_unreported(), [((Some(Action::Exec), LossReason::RingFull), 3)].into());
        assert!(!accounting.has_unreported());
    }

    #[test]
    fn events_over_the_limit_are_reported_once_the_counters_are_read_and_count_as_filtered() {
        let mut accounting = Accounting::default();
        accounting.kernel(&kernel(2, 0));
        for _ in 0..2 {
            accounting.limited(Action::Exec, 1);
            accounting.filtered(Action::Exec);
        }
        assert!(!accounting.has_unreported());
        let mut now = kernel(2, 0);
        now.seen[Kind::Connect.index()] = 7;
        (now.connects_by_rule, now.connects_by_limit) = (4, 3);
        accounting.kernel(&now);
        accounting.kernel(&now);
        let reported = |action, count| ((Some(action), LossReason::Filtered), count);
        assert_eq!(
            accounting.take_unreported(),
            [reported(Action::Exec, 2), reported(Action::Connect, 3)].into()
        );
        assert_eq!(accounting.in_flight(), 0);
        let connect = &accounting.counters()["connect"];
        assert_eq!((connect.filtered, connect.limited, connect.lost), (7, Some(3), 0));
        assert!(!accounting.take_table_loss());
    }

    #[test]
    fn seen_is_the_sum_of_written_filtered_and_lost() {
        let mut accounting = Accounting::default();
        accounting.kernel(&kernel(10, 3));
        assert_eq!(accounting.in_flight(), 7);
        for _ in 0..4 {
            accounting.written(Action::Exec);
        }
        accounting.filtered(Action::Exec);
        accounting.queue_full(Action::Exec);
        assert!(accounting.take_table_loss(), "the kernel side lost records of execs");
        accounting.queue_full(Action::Exec);
        assert!(!accounting.take_table_loss(), "the table has the record of an event that was lost");
        assert_eq!(accounting.in_flight(), 0);
        let exec = &accounting.counters()["exec"];
        assert_eq!(exec.seen, exec.written + exec.filtered + exec.lost);
    }

    #[test]
    fn a_broken_record_may_be_one_that_the_table_needed() {
        let mut accounting = Accounting::default();
        accounting.broken(Some(Action::Connect));
        assert!(!accounting.take_table_loss());
        accounting.broken(None);
        assert!(accounting.take_table_loss());
        assert_eq!(accounting.counters()["unknown"].seen, 1);
    }
}
