use std::{collections::BTreeMap, fmt};

use crate::{Rule, Violation};

/// The result of [`check`](super::check): every rule, kept or broken.
///
/// # Examples
///
/// ```
/// use tower::{Layer, util::MapErrLayer};
/// use tower_lint::{Rule, contract};
///
/// // The error becomes another one.
/// let layer = MapErrLayer::new(|_| "something went wrong");
/// let report = contract::check(|inner| layer.layer(inner));
/// assert!(report.broken().any(|rule| rule == Rule::ServiceError));
/// assert_eq!(
///     report.seen(Rule::ServiceError),
///     [r#"a failing service: it became "something went wrong""#]
/// );
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a report that is not checked has no effect"]
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

    /// Returns the rules that were broken.
    pub fn broken(&self) -> impl Iterator<Item = Rule> {
        self.broken.keys().copied()
    }

    /// Returns the observations that break a rule, each after the name of its scenario.
    #[must_use]
    pub fn seen(&self, rule: Rule) -> &[String] {
        self.broken.get(&rule).map_or(&[], Vec::as_slice)
    }

    /// Adds a rule from which the layer departs on purpose, with the sentence of its documentation
    /// about that.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Response, StatusCode};
    /// use tower::util::MapResponse;
    /// use tower_lint::{Rule, contract};
    ///
    /// fn accepted<B>(mut response: Response<B>) -> Response<B> {
    ///     if response.status() == StatusCode::CREATED {
    ///         *response.status_mut() = StatusCode::ACCEPTED;
    ///     }
    ///     response
    /// }
    ///
    /// contract::check(|inner| MapResponse::new(inner, accepted))
    ///     .departs(Rule::ResponseHead, "a 201 becomes a 202")
    ///     .assert_kept();
    /// ```
    pub fn departs(mut self, rule: Rule, sentence: &'static str) -> Self {
        self.departures.insert(rule, sentence);
        self
    }

    /// Asserts that the layer keeps all rules, except those from which it departs.
    ///
    /// # Panics
    ///
    /// Panics if the layer breaks a rule from which it does not depart, or keeps one from which it
    /// departs. The message is the whole report.
    pub fn assert_kept(&self) {
        let as_expected = Rule::all()
            .all(|rule| self.broken.contains_key(&rule) == self.departures.contains_key(&rule));
        assert!(as_expected, "\n{self}");
    }
}

/// Formats a line for each rule, and one for each observation.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in Rule::all() {
            let verdict = match (self.broken.contains_key(&rule), self.departures.get(&rule)) {
                (false, None) => "kept      ",
                (true, Some(_)) => "departed  ",
                (true, None) => "BROKEN    ",
                (false, Some(_)) => "NOT BROKEN, although the layer departs from it: ",
            };
            writeln!(f, "{verdict}{rule}")?;
            if let Some(sentence) = self.departures.get(&rule) {
                writeln!(f, "          “{sentence}”")?;
            }
            for seen in self.seen(rule) {
                writeln!(f, "          {seen}")?;
            }
        }
        Ok(())
    }
}
