//! The verifier's cost of each program on each kernel, in a file of the repository: a change that makes a
//! program much more expensive fails before some kernel refuses the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::report::Cost;
use crate::workspace;

const FILE: &str = "tests/fixtures/verifier-costs.tsv";

const HEAD: &str = "# Instructions walked and states kept by the verifier, by kernel and program, made by\n\
                    # `cargo xtask vm --accept`.\n";

/// Growth in percent that needs no acceptance.
const GROWTH_PERCENT: u64 = 20;

/// By series of kernels and by program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Costs {
    rows: BTreeMap<(String, String), (u64, u64)>,
}

impl Costs {
    fn file() -> PathBuf {
        workspace::root().join(FILE)
    }

    /// The accepted costs.
    pub(super) fn read() -> Result<Self> {
        let file = Self::file();
        if !file.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut rows = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [series, program, instructions, states] = cells[..] else {
                bail!("{FILE} has an invalid line: {line:?}");
            };
            let number = |cell: &str| cell.parse().with_context(|| format!("{FILE}: no number in {line:?}"));
            rows.insert((series.to_owned(), program.to_owned()), (number(instructions)?, number(states)?));
        }
        Ok(Self { rows })
    }

    /// Replaces the accepted costs of a series.
    pub(super) fn accept(&mut self, series: &str, costs: &[Cost]) {
        self.rows.retain(|(of, _), _| of != series);
        for Cost { program, instructions, states } in costs {
            self.rows.insert((series.to_owned(), program.clone()), (*instructions, *states));
        }
    }

    pub(super) fn write(&self) -> Result<()> {
        let file = Self::file();
        fs::write(&file, self.text()).with_context(|| format!("cannot write {}", file.display()))
    }

    fn text(&self) -> String {
        let row = |((series, program), (instructions, states)): (&(String, String), &(u64, u64))| {
            format!("{series}\t{program}\t{instructions}\t{states}\n")
        };
        let rows: String = self.rows.iter().map(row).collect();
        format!("{HEAD}{rows}")
    }

    /// Describes each program that grew too much or has no accepted cost.
    pub(super) fn faults(&self, series: &str, costs: &[Cost]) -> Vec<String> {
        costs.iter().filter_map(|cost| self.fault(series, cost)).collect()
    }

    fn fault(&self, series: &str, cost: &Cost) -> Option<String> {
        let Cost { program, instructions, states } = cost;
        let Some((kept_instructions, kept_states)) = self.rows.get(&(series.to_owned(), program.clone()))
        else {
            return Some(format!("{program} has no accepted cost in {FILE}"));
        };
        let grown = |now: u64, kept: u64| now * 100 > kept * (100 + GROWTH_PERCENT);
        (grown(*instructions, *kept_instructions) || grown(*states, *kept_states)).then(|| {
            format!(
                "{program} costs the verifier {instructions} instructions and {states} states, \
                 {kept_instructions} and {kept_states} before"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(instructions: u64, states: u64) -> Vec<Cost> {
        vec![Cost { program: "exec".to_owned(), instructions, states }]
    }

    fn accepted() -> Costs {
        let mut costs = Costs::default();
        costs.accept("6.1", &cost(1000, 50));
        costs
    }

    #[test]
    fn a_fifth_more_passes_and_more_than_that_does_not() {
        assert_eq!(accepted().faults("6.1", &cost(1200, 60)), [""; 0]);
        assert_eq!(accepted().faults("6.1", &cost(1201, 50)).len(), 1);
        assert_eq!(accepted().faults("6.1", &cost(1000, 61)).len(), 1);
        assert_eq!(accepted().faults("6.1", &cost(10, 1)), [""; 0]);
    }

    #[test]
    fn a_cost_without_acceptance_is_a_fault() {
        assert_eq!(
            accepted().faults("6.12", &cost(1, 1)),
            ["exec has no accepted cost in tests/fixtures/verifier-costs.tsv"]
        );
    }

    #[test]
    fn accepted_costs_can_be_read() {
        assert_eq!(Costs::parse(&accepted().text()).unwrap(), accepted());
        assert!(Costs::parse("6.1\texec\t1\n").is_err());
        assert!(Costs::parse("6.1\texec\t1\tx\n").is_err());
    }

    #[test]
    fn accepting_removes_programs_that_do_not_exist_any_more() {
        let mut costs = accepted();
        costs.accept("6.1", &[]);
        assert_eq!(costs, Costs::default());
    }
}
