use std::{collections::BTreeMap, fmt};

use crate::{Rule, Violation};

/// Every rule, kept or broken.
#[derive(Clone, Debug, Default)]
#[must_use = "a report that is not looked at proves nothing"]
pub struct Report {
    broken: BTreeMap<Rule, Vec<String>>,
    departures: BTreeMap<Rule, &'static str>,
}

impl Report {
    pub(super) fn add(&mut self, scenario: &str, violation: &Violation) {
        let seen = self.broken.entry(violation.rule).or_default();
        let line = format!("{scenario}: {}", violation.seen);
        if !seen.contains(&line) {
            seen.push(line);
        }
    }

    /// The rules that were broken.
    pub fn broken(&self) -> impl Iterator<Item = Rule> {
        self.broken.keys().copied()
    }

    /// Returns what was seen where a rule was broken, each time after the name of the scenario.
    #[must_use]
    pub fn seen(&self, rule: Rule) -> &[String] {
        self.broken.get(&rule).map_or(&[], Vec::as_slice)
    }

    /// The layer departs from this rule on purpose, with the words in which its documentation says so.
    pub fn departs(mut self, rule: Rule, words: &'static str) -> Self {
        self.departures.insert(rule, words);
        self
    }

    /// Holds the report against what was expected.
    ///
    /// # Panics
    ///
    /// If a rule was broken that the layer does not depart from, or one was kept that it does depart from.
    pub fn assert_kept(&self) {
        let as_expected = Rule::all()
            .all(|rule| self.broken.contains_key(&rule) == self.departures.contains_key(&rule));
        assert!(as_expected, "\n{self}");
    }
}

/// A line for each rule, and one for each thing that was seen.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in Rule::all() {
            let verdict = match (self.broken.contains_key(&rule), self.departures.get(&rule)) {
                (false, None) => "kept      ",
                (true, Some(_)) => "departed  ",
                (true, None) => "BROKEN    ",
                (false, Some(_)) => "NOT BROKEN, although it is said to depart from it: ",
            };
            writeln!(f, "{verdict}{rule}")?;
            if let Some(words) = self.departures.get(&rule) {
                writeln!(f, "          “{words}”")?;
            }
            for seen in self.seen(rule) {
                writeln!(f, "          {seen}")?;
            }
        }
        Ok(())
    }
}
