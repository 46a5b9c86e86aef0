//! What was found wrong, gathered over many records: one line for each field, with how often and one example.

use std::{collections::BTreeMap, fmt::Display};

use serde_json::Value;

/// Differences between the stream and the truth.
#[derive(Debug, Default)]
pub struct Findings {
    by_field: BTreeMap<String, (usize, String)>,
    /// How many comparisons were made; a test that compared nothing has shown nothing.
    compared: usize,
}

impl Findings {
    /// Nothing compared yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `holds` is the fact that `field` stands for; `example` is called only where it does not hold.
    pub fn require<D: Display>(&mut self, field: &str, holds: bool, example: impl FnOnce() -> D) {
        self.compared += 1;
        if !holds {
            let entry = self.by_field.entry(field.to_owned()).or_default();
            entry.0 += 1;
            if entry.1.is_empty() {
                entry.1 = shorten(&example().to_string());
            }
        }
    }

    /// A field must have this value; `None` is a field that must be absent.
    pub fn equal(&mut self, field: &str, whose: &str, actual: Option<&Value>, expected: Option<&Value>) {
        self.require(field, actual == expected, || {
            format!("{whose}: expected {}, was {}", text_of(expected), text_of(actual))
        });
    }

    /// How many comparisons were made.
    pub fn compared(&self) -> usize {
        self.compared
    }

    /// Takes over what another one found.
    pub fn add(&mut self, other: Self) {
        self.compared += other.compared;
        for (field, (count, example)) in other.by_field {
            let entry = self.by_field.entry(field).or_default();
            entry.0 += count;
            if entry.1.is_empty() {
                entry.1 = example;
            }
        }
    }

    /// The end of a test.
    ///
    /// # Panics
    ///
    /// When something was found, or nothing was compared.
    #[track_caller]
    pub fn conclude(self) {
        assert!(self.compared > 0, "nothing was compared");
        let lines: Vec<String> = self
            .by_field
            .iter()
            .map(|(field, (count, example))| format!("  {field}: {count} wrong; {example}"))
            .collect();
        assert!(
            lines.is_empty(),
            "{} fields are not as they should be ({} comparisons):\n{}",
            lines.len(),
            self.compared,
            lines.join("\n")
        );
    }
}

fn text_of(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| shorten(&value.to_string()))
}

/// An argument may have 20 KB; what differs is seldom so far in.
fn shorten(text: &str) -> String {
    const ENOUGH: usize = 600;
    if text.chars().count() <= ENOUGH {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(ENOUGH).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::Findings;

    #[test]
    #[should_panic(expected = "a: 2 wrong; first")]
    fn a_finding_fails_the_test_with_its_first_example() {
        let mut findings = Findings::new();
        findings.require("a", false, || "first");
        findings.require("a", false, || "second");
        findings.conclude();
    }

    #[test]
    #[should_panic(expected = "nothing was compared")]
    fn a_test_that_compares_nothing_fails() {
        Findings::new().conclude();
    }
}
