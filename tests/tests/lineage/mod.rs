//! The program `lineage`.

use collector_tests::workload::spawn::{Child, Plan};

/// Its path.
pub(crate) const LINEAGE: &str = env!("CARGO_BIN_EXE_lineage");

pub(crate) fn lineage(words: &[&str]) -> Child {
    let mut plan = Plan::of(LINEAGE);
    plan.args.extend(words.iter().map(|word| word.as_bytes().to_vec()));
    plan.spawn()
}

/// The answer `pid PID`.
pub(crate) fn told_pid(child: &mut Child) -> u32 {
    child.answer().strip_prefix("pid ").unwrap().parse().unwrap()
}
