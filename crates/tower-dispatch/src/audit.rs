//! Routes that can never match, since earlier ones take all their paths.
//!
//! All patterns are compiled into one dense automaton. A path that they match ends in a state that
//! knows the first of them. A pattern that is the first in no state is unreachable. There are
//! finitely many states, and the automaton may take [`BUDGET`] bytes at most, so the audit ends.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
};

use regex_automata::{
    Anchored, Input, MatchKind,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson::{self, WhichCaptures},
    util::primitives::StateID,
};
use regex_syntax::hir::{Dot, Hir, Look, Repetition};

use crate::{Pattern, pattern::Kind, routes::Rules};

/// The most memory, in bytes, for the automaton of all patterns.
const BUDGET: usize = 8 << 20;
/// The same for the automaton of one pattern.
const BUDGET_OF_ONE: usize = 512 << 10;

/// The most pairs of states that are visited to find the routes that cover others.
const PAIRS: usize = 1 << 20;

/// The texts that are no path: a path is empty (CONNECT), `*` (OPTIONS) or begins with a slash.
const NO_PATH: &str = r"(?s)[^/*].*|\*.+";
/// The same if leading slashes are stripped.
const NO_STRIPPED_PATH: &str = "(?s)/.*";

/// The most patterns that may be too large by themselves before all others are undecided.
const LARGE: usize = 64;

/// The result for one of a list of patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Reachable,
    /// No path reaches it. These patterns cover it.
    Unreachable(BTreeSet<usize>),
    Undecided,
}

impl Verdict {
    /// Combines the verdicts on a route that may be reached in two ways.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Reachable, _) | (_, Self::Reachable) => Self::Reachable,
            (Self::Undecided, _) | (_, Self::Undecided) => Self::Undecided,
            (Self::Unreachable(one), Self::Unreachable(other)) => Self::Unreachable(&one | &other),
        }
    }
}

/// Returns a verdict for each of the patterns.
pub(crate) fn audit(patterns: &[&Pattern], rules: Rules) -> Vec<Verdict> {
    // A pattern that is equal to an earlier one is covered by that, and needs no automaton.
    let mut places = HashMap::new();
    let firsts: Vec<usize> = patterns
        .iter()
        .enumerate()
        .map(|(place, pattern)| {
            *places
                .entry((pattern.as_str(), pattern.kind()))
                .or_insert(place)
        })
        .collect();
    let different: Vec<usize> = (0..patterns.len())
        .filter(|place| firsts[*place] == *place)
        .collect();
    let hirs: Vec<Hir> = different
        .iter()
        .map(|place| whole(patterns[*place]))
        .collect();
    let mut verdicts = vec![Verdict::Undecided; patterns.len()];
    for (verdict, &place) in audit_different(&hirs, rules).into_iter().zip(&different) {
        verdicts[place] = match verdict {
            Verdict::Unreachable(by) => {
                Verdict::Unreachable(by.into_iter().map(|place| different[place]).collect())
            }
            other => other,
        };
    }
    for (place, &first) in firsts
        .iter()
        .enumerate()
        .filter(|(place, first)| place != *first)
    {
        verdicts[place] = match &verdicts[first] {
            Verdict::Unreachable(by) => Verdict::Unreachable(by.clone()),
            _ => Verdict::Unreachable([first].into()),
        };
    }
    verdicts
}

fn audit_different(hirs: &[Hir], rules: Rules) -> Vec<Verdict> {
    let no_path = match rules.without_leading_slashes {
        true => NO_STRIPPED_PATH,
        false => NO_PATH,
    };
    let all: Vec<usize> = (0..hirs.len()).collect();
    let mut verdicts = vec![Verdict::Undecided; hirs.len()];
    let (dfa, used) = match build(hirs, &all, no_path, BUDGET) {
        Some(dfa) => (dfa, all),
        None => {
            // Again without those that are too large by themselves.
            let mut large = 0;
            let mut is_small = |index: &usize| {
                let small =
                    large < LARGE && build(hirs, &[*index], no_path, BUDGET_OF_ONE).is_some();
                large += usize::from(!small);
                small
            };
            let small: Vec<usize> = all.into_iter().filter(|index| is_small(index)).collect();
            match build(hirs, &small, no_path, BUDGET) {
                Some(dfa) => (dfa, small),
                None => return verdicts,
            }
        }
    };
    let states = states(&dfa);
    let reachable: HashSet<usize> = states
        .iter()
        .filter_map(|state| first(&dfa, *state))
        .collect();
    let mut pairs = PAIRS;
    for (place, &index) in used.iter().enumerate() {
        verdicts[index] = match reachable.contains(&place) {
            true => Verdict::Reachable,
            false => match covering(&dfa, &hirs[index], no_path, &mut pairs) {
                Some(places) => {
                    Verdict::Unreachable(places.into_iter().map(|place| used[place]).collect())
                }
                None => Verdict::Undecided,
            },
        };
    }
    verdicts
}

/// Returns a pattern that is anchored at both ends.
fn whole(pattern: &Pattern) -> Hir {
    let anything = || {
        Hir::repetition(Repetition {
            min: 0,
            max: None,
            greedy: true,
            sub: Box::new(Hir::dot(Dot::AnyChar)),
        })
    };
    let hir = pattern.expr().to_hir();
    let mut parts = match pattern.kind() {
        Kind::RegexSearch => vec![anything(), hir, anything()],
        Kind::RegexPrefix => vec![hir, anything()],
        Kind::Regex | Kind::Template | Kind::Mount => vec![hir],
    };
    parts.push(Hir::look(Look::End));
    Hir::concat(parts)
}

type Dfa = dense::DFA<Vec<u32>>;

/// Returns an automaton of the texts that are no path, and then of some of the patterns.
fn build(hirs: &[Hir], some: &[usize], no_path: &str, budget: usize) -> Option<Dfa> {
    let no_path = Hir::concat(vec![
        regex_syntax::parse(no_path).ok()?,
        Hir::look(Look::End),
    ]);
    let hirs: Vec<&Hir> = std::iter::once(&no_path)
        .chain(some.iter().map(|index| &hirs[*index]))
        .collect();
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .which_captures(WhichCaptures::None)
                .nfa_size_limit(Some(budget)),
        )
        .build_many_from_hir(&hirs)
        .ok()?;
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::LeftmostFirst)
                .start_kind(StartKind::Anchored)
                .accelerate(false)
                .dfa_size_limit(Some(budget))
                .determinize_size_limit(Some(budget)),
        )
        .build_from_nfa(&nfa)
        .ok()
}

fn start(dfa: &Dfa) -> Option<StateID> {
    let input = Input::new("").anchored(Anchored::Yes);
    dfa.start_state_forward(&input).ok()
}

/// Returns the bytes that lead to another state, and that state.
fn after(dfa: &Dfa, state: StateID) -> impl Iterator<Item = (u8, StateID)> {
    let bytes = dfa.byte_classes().representatives(0..=u8::MAX);
    bytes.filter_map(move |byte| {
        let byte = byte.as_u8()?;
        let next = dfa.next_state(state, byte);
        (!dfa.is_dead_state(next)).then_some((byte, next))
    })
}

/// Returns all states that a path may lead to.
fn states(dfa: &Dfa) -> Vec<StateID> {
    let mut found: Vec<StateID> = start(dfa).into_iter().collect();
    let mut seen: HashSet<StateID> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(&state) = found.get(next) {
        next += 1;
        found
            .extend(after(dfa, state).filter_map(|(_, state)| seen.insert(state).then_some(state)));
    }
    found
}

/// Returns the first pattern that matches the paths which lead to a state, by its index in the
/// automaton.
fn first(dfa: &Dfa, state: StateID) -> Option<usize> {
    let end = dfa.next_eoi_state(state);
    let pattern = dfa.is_match_state(end).then(|| dfa.match_pattern(end, 0))?;
    pattern.as_usize().checked_sub(1)
}

/// Returns the patterns of an automaton that are the first to match a path of this pattern.
fn covering(dfa: &Dfa, hir: &Hir, no_path: &str, pairs: &mut usize) -> Option<BTreeSet<usize>> {
    let own = build(std::slice::from_ref(hir), &[0], no_path, BUDGET)?;
    let mut found = vec![(start(dfa)?, start(&own)?)];
    let mut seen: HashSet<_> = found.iter().copied().collect();
    let mut covering = BTreeSet::new();
    while let Some((all, one)) = found.pop() {
        if first(&own, one).is_some() {
            covering.extend(first(dfa, all));
        }
        // The classes of both automata differ, so every byte is tried.
        for byte in 0..=u8::MAX {
            let pair = (dfa.next_state(all, byte), own.next_state(one, byte));
            if !own.is_dead_state(pair.1) && seen.insert(pair) {
                found.push(pair);
            }
        }
        *pairs = pairs.checked_sub(1)?;
    }
    Some(covering)
}

/// The routes that can never be reached, see [`Dispatch::audit`](crate::Dispatch::audit).
///
/// Its `Display` is a line for each of them.
///
/// ```
/// use axum::{body::Body, routing::get};
/// use tower_dispatch::{Dispatch, Endpoint};
///
/// let urls: Dispatch<Endpoint<Body>> = Dispatch::builder()
///     .get("/users/{id:int}", get(async || "a user"))
///     .get("/users/{name}", get(async || "a user"))
///     .build()?;
/// assert!(urls.audit().is_empty(), "{}", urls.audit());
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub(crate) unreachable: Vec<Unreachable>,
    pub(crate) undecided: Vec<usize>,
    /// The methods and the pattern of each route.
    pub(crate) routes: Vec<String>,
}

/// A route that no request reaches.
///
/// ```
/// use axum::{body::Body, routing::get};
/// use tower_dispatch::{Dispatch, Endpoint};
///
/// let urls: Dispatch<Endpoint<Body>> = Dispatch::builder()
///     .get("/{*path}", get(async || "a page"))
///     .get("/about", get(async || "never"))
///     .build()?;
/// let audit = urls.audit();
/// let about = &audit.unreachable()[0];
/// assert_eq!((about.route(), about.covered_by()), (1, &[0][..]));
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    pub(crate) route: usize,
    pub(crate) covered_by: Vec<usize>,
}

impl Audit {
    /// Returns whether every route can be reached, and none is undecided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unreachable.is_empty() && self.undecided.is_empty()
    }

    /// Returns the routes that no request reaches, in their order.
    #[must_use]
    pub fn unreachable(&self) -> &[Unreachable] {
        &self.unreachable
    }

    /// Returns the indexes of the routes that could not be decided within a few megabytes. Large
    /// Unicode classes and a Unicode `\b` can be the cause.
    #[must_use]
    pub fn undecided(&self) -> &[usize] {
        &self.undecided
    }
}

impl Unreachable {
    /// Returns the route's index, from 0 in the order in which they were added.
    #[must_use]
    pub fn route(&self) -> usize {
        self.route
    }

    /// Returns the indexes of the routes that take all its paths, each some of them. There are none
    /// if its pattern matches no path.
    #[must_use]
    pub fn covered_by(&self) -> &[usize] {
        &self.covered_by
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Unreachable { route, covered_by } in &self.unreachable {
            write!(
                f,
                "route {route} ({}) is never reached: ",
                self.routes[*route]
            )?;
            let names: Vec<String> = (covered_by.iter())
                .map(|other| format!("route {other} ({})", self.routes[*other]))
                .collect();
            match &names[..] {
                [] => writeln!(f, "no path is like that")?,
                [one] => writeln!(f, "{one} takes all its paths")?,
                several => writeln!(f, "{} take all its paths", several.join(" and "))?,
            }
        }
        for route in &self.undecided {
            writeln!(f, "route {route} ({}): undecided", self.routes[*route])?;
        }
        Ok(())
    }
}
