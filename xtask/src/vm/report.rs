//! What a guest reports about its kernel: features, the verifier's cost of each program, and tests that
//! passed.

/// The cost of one program for the verifier of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) program: String,
    /// Instructions that the verifier walked.
    pub(super) instructions: u64,
    /// States that it kept.
    pub(super) states: u64,
}

/// The report of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// A check of `collector doctor` or a feature of `agent-start`, and its state.
    pub(super) features: Vec<(String, String)>,
    /// In the order in which the programs are loaded.
    pub(super) costs: Vec<Cost>,
    /// Modules of tests, and whether all in them passed.
    pub(super) tests: Vec<(String, bool)>,
}

impl Report {
    /// Reads the lines `report KIND CELL…`, separated by tabs, of the tests, and `init: MODULE: passed after …` of the guest.
    pub(super) fn read(said: &str) -> Self {
        let mut report = Self::default();
        for line in said.lines() {
            let cells: Vec<&str> = line.split('\t').collect();
            match cells[..] {
                ["report", "feature", name, status] => report.feature(name, status),
                ["report", "cost", program, instructions, states] => {
                    if let (Ok(instructions), Ok(states)) = (instructions.parse(), states.parse()) {
                        report.costs.push(Cost { program: program.to_owned(), instructions, states });
                    }
                }
                _ => report.tests.extend(test(line)),
            }
        }
        report.tests.sort();
        report
    }

    fn feature(&mut self, name: &str, status: &str) {
        self.features.push((name.to_owned(), status.to_owned()));
    }
}

/// `init: live::overload: passed after 3s` as the name of the module and `true`.
fn test(line: &str) -> Option<(String, bool)> {
    let (name, ended) = line.strip_prefix("init: ")?.split_once(": ")?;
    let passed = match ended.split(' ').next()? {
        "passed" => true,
        "FAILED" => false,
        _ => return None,
    };
    Some((name.to_owned(), passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_report_are_read_and_others_skipped() {
        let said = "running 2 tests\nreport\tfeature\thook sock_ops\tok\ntest x ... \nreport\tcost\ttcp_connect\t950\t61\n\
                    init: live::overload: FAILED after 1s\ninit: live::exec: passed after 2s\n\
                    init: 1 of 2 passed\ninit: exit 1\n";
        let report = Report::read(said);
        assert_eq!(report.features, [("hook sock_ops".to_owned(), "ok".to_owned())]);
        assert_eq!(report.costs, [Cost { program: "tcp_connect".to_owned(), instructions: 950, states: 61 }]);
        assert_eq!(report.tests, [("live::exec".to_owned(), true), ("live::overload".to_owned(), false)]);
    }
}
