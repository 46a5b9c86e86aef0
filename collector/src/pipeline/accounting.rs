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

/// What was lost, by the action (`None` where a broken record does not tell it) and the reason.
pub type Losses = BTreeMap<(Option<Action>, LossReason), u64>;

/// Counts what happens to events.
#[derive(Debug, Default)]
pub struct Tally {
    counters: BTreeMap<Option<Action>, CountersOf>,
    /// Losses that the stream has not told yet.
    untold: Losses,
    /// Events over the limit, which gather until the kernel side's counters are read: there may be very many.
    limited: BTreeMap<Action, u64>,
    /// Whether records that keep the process table were lost before they could reach it.
    unlearnt: bool,
    /// The kernel side's counters as they were told last.
    kernel: common::Counters,
}

impl Tally {
    /// Counts a record that the agent makes itself: nobody else has seen it.
    pub fn made(&mut self, action: Action) {
        self.of(Some(action)).seen += 1;
    }

    /// Counts an event that was written.
    pub fn written(&mut self, action: Action) {
        self.of(Some(action)).written += 1;
    }

    /// Counts an event that nobody asked for.
    pub fn filtered(&mut self, action: Action) {
        self.of(Some(action)).filtered += 1;
    }

    /// Notes events over the limit of their image that somebody wanted. They are filtered, and counted so by others: this
    /// is of which they were, and has the stream tell.
    pub fn limited(&mut self, action: Action, count: u64) {
        if count > 0 {
            *self.limited.entry(action).or_default() += count;
            *self.of(Some(action)).limited.get_or_insert_default() += count;
        }
    }

    /// Counts an event that was lost in the agent.
    pub fn lost(&mut self, action: Option<Action>, reason: LossReason) {
        self.lose(action, reason, 1);
        if action.is_none() {
            // The kernel side has counted it under its action, where it will be missing; this row adds up by itself.
            self.of(None).seen += 1;
        }
    }

    /// Notes how many processes were found to be gone whose exit was not told.
    pub fn ended_unseen(&mut self, processes: u64) {
        if processes > 0 {
            self.of(Some(Action::Exit)).ended_unseen = Some(processes);
        }
    }

    /// Takes in the kernel side's counters.
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
                self.lose(Some(action), reason_of(loss), lost);
            }
        }
        self.kernel_filtered(now);
        if now.udp_folded > 0 {
            self.of(Some(Action::Connect)).folded = Some(now.udp_folded);
        }
        self.kernel = *now;
    }

    /// Takes in the connects that the kernel side did not send, and has the stream tell what was over the limit.
    fn kernel_filtered(&mut self, now: &common::Counters) {
        let by_rule = now.connects_by_rule.saturating_sub(self.kernel.connects_by_rule);
        let by_limit = now.connects_by_limit.saturating_sub(self.kernel.connects_by_limit);
        self.of(Some(Action::Connect)).filtered += by_rule + by_limit;
        self.limited(Action::Connect, by_limit);
        for (action, count) in std::mem::take(&mut self.limited) {
            *self.untold.entry((Some(action), LossReason::Filtered)).or_default() += count;
        }
    }

    /// Events that the kernel side sent and that have not come out yet.
    #[must_use]
    pub fn on_their_way(&self) -> u64 {
        self.counters
            .values()
            .map(|counters| {
                counters.seen.saturating_sub(counters.written + counters.filtered + counters.lost)
            })
            .sum()
    }

    /// Losses that the stream has not told yet; they count as told from now on.
    pub fn take_untold(&mut self) -> Losses {
        std::mem::take(&mut self.untold)
    }

    /// Whether there are losses that the stream has not told.
    #[must_use]
    pub fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// The counters, as `agent-stop` tells them.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let name = |action: &Option<Action>| action.map_or("unknown", Action::name).to_owned();
        self.counters.iter().map(|(action, counters)| (name(action), counters.clone())).collect()
    }

    /// Whether records were lost that keep the process table, before it learnt of them; they count as known from now on.
    pub fn take_unlearnt(&mut self) -> bool {
        std::mem::take(&mut self.unlearnt)
    }

    fn note_unlearnt(&mut self, action: Option<Action>, reason: LossReason) {
        match reason {
            // The record was taken in; its event alone is lost.
            LossReason::QueueFull | LossReason::SubscriberSlow | LossReason::Filtered => return,
            LossReason::RingFull
            | LossReason::ReserveFailed
            | LossReason::TableFull
            | LossReason::Decode
            | LossReason::Unknown => {}
        }
        // Any kind of record may have been broken.
        let keeps_the_table = matches!(action, None | Some(Action::Fork | Action::Exec | Action::Exit));
        self.unlearnt |= keeps_the_table;
    }

    fn lose(&mut self, action: Option<Action>, reason: LossReason, count: u64) {
        if count == 0 {
            return;
        }
        let counters = self.of(action);
        counters.lost += count;
        *counters.lost_by_reason.entry(reason).or_default() += count;
        *self.untold.entry((action, reason)).or_default() += count;
        self.note_unlearnt(action, reason);
    }

    fn of(&mut self, action: Option<Action>) -> &mut CountersOf {
        self.counters.entry(action).or_default()
    }
}

#[cfg(test)]
mod tests {
    use collector_common::{Counters, Kind, Loss};

    use super::Tally;
    use crate::event::{Action, LossReason};

    fn kernel(seen: u64, ring_full: u64) -> Counters {
        let mut counters = Counters::default();
        counters.seen[Kind::Exec.index()] = seen;
        counters.lost[Kind::Exec.index()][Loss::RingFull.index()] = ring_full;
        counters
    }

    #[test]
    fn a_loss_of_the_kernel_side_is_told_once() {
        let mut tally = Tally::default();
        tally.kernel(&kernel(10, 3));
        tally.kernel(&kernel(10, 3));
        assert_eq!(tally.take_untold(), [((Some(Action::Exec), LossReason::RingFull), 3)].into());
        assert!(!tally.has_untold());
    }

    #[test]
    fn what_is_over_the_limit_is_told_with_the_counters_and_is_filtered_and_not_lost() {
        let mut tally = Tally::default();
        tally.kernel(&kernel(2, 0));
        for _ in 0..2 {
            tally.limited(Action::Exec, 1);
            tally.filtered(Action::Exec);
        }
        assert!(!tally.has_untold());
        let mut now = kernel(2, 0);
        now.seen[Kind::Connect.index()] = 7;
        (now.connects_by_rule, now.connects_by_limit) = (4, 3);
        tally.kernel(&now);
        tally.kernel(&now);
        let told = |action, count| ((Some(action), LossReason::Filtered), count);
        assert_eq!(tally.take_untold(), [told(Action::Exec, 2), told(Action::Connect, 3)].into());
        assert_eq!(tally.on_their_way(), 0);
        let connect = &tally.counters()["connect"];
        assert_eq!((connect.filtered, connect.limited, connect.lost), (7, Some(3), 0));
        assert!(!tally.take_unlearnt());
    }

    #[test]
    fn what_was_seen_is_written_filtered_or_lost() {
        let mut tally = Tally::default();
        tally.kernel(&kernel(10, 3));
        assert_eq!(tally.on_their_way(), 7);
        for _ in 0..4 {
            tally.written(Action::Exec);
        }
        tally.filtered(Action::Exec);
        tally.lost(Some(Action::Exec), LossReason::QueueFull);
        tally.lost(Some(Action::Exec), LossReason::Decode);
        assert_eq!(tally.on_their_way(), 0);
        let exec = &tally.counters()["exec"];
        assert_eq!(exec.seen, exec.written + exec.filtered + exec.lost);
    }
}
