//! What stderr says at the end of a run.

use std::io::{self, Write as _};

use super::args::Verbosity;
use crate::{
    event::{Counters, CountersOf, OutputCounters},
    stream::output::{Ending, OutputReport},
};

/// Prints the summary for a person who watches, and in any case what was not delivered.
pub(super) fn print(counters: &Counters, reports: &[OutputReport], verbosity: &Verbosity) {
    if verbosity.talks() {
        let sum = |one: fn(&CountersOf) -> u64| counters.values().map(one).fold(0, u64::saturating_add);
        let (seen, written, filtered, lost) =
            (sum(|of| of.seen), sum(|of| of.written), sum(|of| of.filtered), sum(|of| of.lost));
        say(format_args!("{seen} events seen: {written} written, {filtered} filtered, {lost} lost"));
    }
    print_undelivered(reports);
}

/// Prints a line for each output that did not deliver everything.
pub(super) fn print_undelivered(reports: &[OutputReport]) {
    for OutputReport { counters, ending, is_failure, .. } in reports {
        let OutputCounters { name, written, delivered, dropped, pending, .. } = counters;
        let why = match ending {
            Ending::Incomplete(why) | Ending::Failed(why) => why.as_str(),
            Ending::Closed => "nobody reads it any more",
            Ending::Complete => "",
        };
        if *is_failure || *pending > 0 {
            say(format_args!(
                "output {name}: {why}; of {written} events {delivered} were delivered, {dropped} dropped, and {pending} are \
                 pending and lost now"
            ));
        }
    }
}

fn say(words: std::fmt::Arguments<'_>) {
    // Nobody reads a closed stderr.
    let _ = writeln!(io::stderr(), "collector: {words}");
}
