//! What stderr says of the counters of a run.

use std::io::{self, Write as _};

use super::args::Verbosity;
use crate::{
    event::{Counters, CountersOf, OutputCounters},
    stream::output::{Ending, OutputReport},
};

/// Prints the summary, if the flags ask for it, and in any case what was not delivered.
pub(super) fn print(counters: &Counters, reports: &[OutputReport], verbosity: &Verbosity) {
    if verbosity.prints_summary() {
        say(&totals(counters));
    }
    print_undelivered(reports);
}

/// Prints the counters of a run that goes on: one line for the agent, and one for each output.
pub(super) fn print_counters(counters: &Counters, reports: &[OutputReport]) {
    say(&totals(counters));
    for OutputReport { counters, .. } in reports {
        let OutputCounters { name, written, delivered, dropped, pending, .. } = counters;
        say(&format!(
            "output {name}: {written} written, {delivered} delivered, {dropped} dropped, {pending} pending"
        ));
    }
}

/// Prints a line for each output that did not deliver everything.
pub(super) fn print_undelivered(reports: &[OutputReport]) {
    for OutputReport { counters, ending, is_failure, .. } in reports {
        if *is_failure || counters.pending > 0 {
            say(&undelivered(counters, ending));
        }
    }
}

/// The sums of all actions.
fn totals(counters: &Counters) -> String {
    let sum = |one: fn(&CountersOf) -> u64| counters.values().map(one).fold(0, u64::saturating_add);
    let (seen, written, filtered, lost) =
        (sum(|of| of.seen), sum(|of| of.written), sum(|of| of.filtered), sum(|of| of.lost));
    format!("{seen} events seen: {written} written, {filtered} filtered, {lost} lost")
}

fn undelivered(counters: &OutputCounters, ending: &Ending) -> String {
    let OutputCounters { name, written, delivered, dropped, pending, .. } = counters;
    let why = match ending {
        Ending::Incomplete(why) | Ending::Failed(why) => why,
        Ending::Closed => "nobody reads it any more",
        Ending::Complete => "it ended",
    };
    format!(
        "output {name}: {why}; of {written} events {delivered} were delivered, {dropped} dropped, and {pending} are pending and \
         lost now"
    )
}

fn say(message: &str) {
    // Nobody reads a closed stderr.
    let _ = writeln!(io::stderr(), "collector: {message}");
}

#[cfg(test)]
mod tests {
    use super::{totals, undelivered};
    use crate::{
        event::{Counters, CountersOf, OutputCounters},
        stream::output::Ending,
    };

    #[test]
    fn the_totals_are_the_sums_of_all_actions() {
        let of = |seen, written, filtered, lost| CountersOf {
            seen,
            written,
            filtered,
            lost,
            ..CountersOf::default()
        };
        let counters: Counters =
            [("exec".to_owned(), of(10, 5, 3, 2)), ("agent-stop".to_owned(), of(1, 1, 0, 0))].into();
        assert_eq!(totals(&counters), "11 events seen: 6 written, 3 filtered, 2 lost");
    }

    #[test]
    fn an_output_that_failed_is_named_with_the_reason_and_its_counters() {
        let counters =
            OutputCounters { name: "file:/x".into(), written: 9, delivered: 4, dropped: 2, pending: 3 };
        let line = undelivered(&counters, &Ending::Failed("no space left".to_owned()));
        let expected = "output file:/x: no space left; of 9 events 4 were delivered, 2 dropped, and 3 are pending and lost now";
        assert_eq!(line, expected);
        assert!(undelivered(&counters, &Ending::Closed).contains("nobody reads it any more"));
    }
}
