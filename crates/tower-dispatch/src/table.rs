//! The compiled table: all patterns in one automaton, whose answer is always that of the plain loop
//! "for each pattern: does it match? if not, the next".
//!
//! An anchored search that prefers the leftmost alternative among all patterns finds exactly that
//! loop's pattern. What the groups of that one pattern match is a second, smaller search.

use std::{error::Error, fmt, ops::Range};

use regex_automata::{
    Anchored, Input, PatternID,
    meta::{BuildError, Config, Regex},
    nfa::thompson::WhichCaptures,
    util::primitives::NonMaxUsize,
};
use smallvec::{SmallVec, smallvec};

use crate::Pattern;

/// The most memory, in bytes, that the compiled form of all patterns together may take.
const SIZE_LIMIT: usize = 64 << 20;

/// Where the groups of a pattern matched, in bytes of the path; `None` for a group that took no part.
pub(crate) type Spans = SmallVec<[Option<(u32, u32)>; 4]>;

/// Patterns, compiled: finds the first one that matches a path.
#[derive(Clone, Debug)]
pub struct Table {
    search: Search,
    captures: Captures,
}

impl Table {
    /// Compiles patterns whose order is their precedence.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if they are too large.
    pub fn new(patterns: &[Pattern]) -> Result<Self, TableError> {
        // One pattern at a time first: their errors say more.
        let captures = Captures::new(patterns)?;
        let search = Search::new(patterns.iter())?;
        Ok(Self { search, captures })
    }

    /// The first pattern that matches the path, which is taken as it stands, without any decoding.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Match> {
        let index = self.search.find(path)?;
        let spans = self.captures.find(index, path);
        Some(Match { index, spans })
    }
}

/// Which pattern matched, and what its groups did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    index: usize,
    spans: Spans,
}

impl Match {
    /// The place of the pattern in the table, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where the pattern's groups matched, in bytes of the path and in the order of the groups; `None`
    /// for a group that took no part.
    pub fn spans(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        self.spans
            .iter()
            .map(|span| span.map(|(start, end)| start as usize..end as usize))
    }
}

/// Which of several patterns is the first to match.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    regex: Regex,
}

impl Search {
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Result<Self, TableError> {
        let config = Config::new()
            .which_captures(WhichCaptures::Implicit)
            .nfa_size_limit(Some(SIZE_LIMIT));
        let hirs: Vec<_> = patterns.map(Pattern::hir).collect();
        let regex = Regex::builder()
            .configure(config)
            .build_many_from_hir(&hirs)
            .map_err(|source| TableError::new(None, &source))?;
        Ok(Self { regex })
    }

    pub(crate) fn find(&self, path: &str) -> Option<usize> {
        let found = self.regex.search_half(&anchored(path))?;
        Some(found.pattern().as_usize())
    }
}

/// What the groups of a known pattern match.
#[derive(Clone, Debug)]
pub(crate) struct Captures {
    /// `None` for a pattern without groups.
    regexes: Vec<Option<Regex>>,
}

impl Captures {
    pub(crate) fn new(patterns: &[Pattern]) -> Result<Self, TableError> {
        let config = Config::new().nfa_size_limit(Some(SIZE_LIMIT));
        let regexes = patterns.iter().map(|pattern| {
            if pattern.hir().properties().explicit_captures_len() == 0 {
                return Ok(None);
            }
            Regex::builder()
                .configure(config.clone())
                .build_from_hir(pattern.hir())
                .map(Some)
                .map_err(|source| TableError::new(Some(pattern), &source))
        });
        Ok(Self {
            regexes: regexes.collect::<Result<_, _>>()?,
        })
    }

    /// The groups of the pattern with this index, for a path that it matches.
    pub(crate) fn find(&self, index: usize, path: &str) -> Spans {
        let Some(regex) = &self.regexes[index] else {
            return Spans::new();
        };
        let mut slots: SmallVec<[Option<NonMaxUsize>; 10]> =
            smallvec![None; regex.group_info().slot_len()];
        regex.search_slots(&anchored(path), &mut slots);
        slots
            .chunks_exact(2)
            .skip(1)
            .map(|slot| Some((offset(slot[0]?)?, offset(slot[1]?)?)))
            .collect()
    }

    /// The names of the groups of the pattern with this index; `None` for one without a name.
    pub(crate) fn names(&self, index: usize) -> Vec<Option<Box<str>>> {
        let Some(regex) = &self.regexes[index] else {
            return Vec::new();
        };
        let names = regex.group_info().pattern_names(PatternID::ZERO);
        names.skip(1).map(|name| name.map(Into::into)).collect()
    }
}

/// A path of 4 GiB or more has no url args; no server accepts one.
fn offset(at: NonMaxUsize) -> Option<u32> {
    u32::try_from(at.get()).ok()
}

fn anchored(path: &str) -> Input<'_> {
    Input::new(path).anchored(Anchored::Yes)
}

/// Why patterns that are each well-formed do not make a table: they take too much memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    pattern: Option<Box<str>>,
    reason: String,
}

impl TableError {
    /// The pattern, if it is one alone that is too large.
    fn new(pattern: Option<&Pattern>, source: &BuildError) -> Self {
        Self {
            pattern: pattern.map(|pattern| pattern.as_str().into()),
            reason: match source.size_limit() {
                Some(limit) => format!("compiled, it exceeds the limit of {limit} bytes"),
                None => source.to_string(),
            },
        }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Some(pattern) => write!(f, "pattern {pattern:?}: {}", self.reason),
            None => write!(f, "the table of patterns: {}", self.reason),
        }
    }
}

impl Error for TableError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find(patterns: &[Pattern], path: &str) -> Option<Match> {
        Table::new(patterns).unwrap().find(path)
    }

    #[test]
    fn the_first_pattern_that_matches_wins() {
        let patterns = ["/a/.*", "/a/b", "/.*"].map(|regex| Pattern::regex(regex).unwrap());
        for (path, expected) in [("/a/b", Some(0)), ("/a", Some(2)), ("a", None)] {
            assert_eq!(
                find(&patterns, path).map(|found| found.index()),
                expected,
                "{path}"
            );
        }
        assert_eq!(find(&[], "/"), None);
    }

    #[test]
    fn the_constructor_says_where_a_regex_is_anchored() {
        type Constructor = fn(&str) -> Result<Pattern, crate::PatternError>;
        let table: [(Constructor, &str, &str, bool); 12] = [
            (Pattern::regex, "/a", "/a", true),
            (Pattern::regex, "/a", "/ab", false),
            (Pattern::regex, "a", "/a", false),
            (Pattern::regex, "/a|/ab", "/ab", true),
            (Pattern::regex, "/a$", "/a\n", false),
            (Pattern::regex, "(?x) /a # comment", "/a", true),
            (Pattern::regex_prefix, "/a", "/ab", true),
            (Pattern::regex_prefix, "a", "/a", false),
            (Pattern::regex_prefix, "/a$", "/a\n", false),
            (Pattern::regex_search, "a", "/\na", true),
            (Pattern::regex_search, "^a", "/a", false),
            (Pattern::regex_search, "b", "/a", false),
        ];
        for (constructor, regex, path, expected) in table {
            let pattern = constructor(regex).unwrap();
            assert_eq!(
                find(&[pattern], path).is_some(),
                expected,
                "{regex} {path:?}"
            );
        }
    }

    #[test]
    fn a_search_takes_the_leftmost_match() {
        let pattern = Pattern::regex_search("(b+)").unwrap();
        let spans: Vec<_> = find(&[pattern], "abbab").unwrap().spans().collect();
        assert_eq!(spans, [Some(1..3)]);
    }

    #[test]
    fn a_group_that_took_no_part_is_absent() {
        let pattern = Pattern::regex("/(a)?(b?)(c)").unwrap();
        let spans: Vec<_> = find(&[pattern], "/c").unwrap().spans().collect();
        assert_eq!(spans, [None, Some(1..1), Some(1..2)]);
    }

    #[test]
    fn patterns_that_take_too_much_memory_are_refused() {
        let large = Pattern::regex(r"\w{1000}").unwrap();
        let too_large = Pattern::regex(r"(\w{1000}){100}").unwrap();
        let error = Table::new(&[large.clone(), too_large]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pattern \"(\\\\w{1000}){100}\": compiled, it exceeds the limit of 67108864 bytes"
        );
        let error = Table::new(&vec![large; 100]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the table of patterns: compiled, it exceeds the limit of 67108864 bytes"
        );
    }

    /// Regexes of every shape, over an alphabet of three letters, so that many match.
    fn regex() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("a".to_owned()),
            Just("b".to_owned()),
            Just("/".to_owned()),
            Just(".".to_owned()),
            Just("[^/]+".to_owned()),
            Just("(a|ab)".to_owned()),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
                inner.clone().prop_map(|a| format!("({a})?")),
                inner.prop_map(|a| format!("(?:{a})*?")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn the_table_answers_as_the_plain_loop_does(
            regexes in proptest::collection::vec((regex(), 0..3_usize), 1..6),
            path in "[ab/]{0,6}",
        ) {
            let patterns: Vec<Pattern> = regexes
                .iter()
                .map(|(regex, anchoring)| match anchoring {
                    0 => Pattern::regex(regex).unwrap(),
                    1 => Pattern::regex_prefix(regex).unwrap(),
                    _ => Pattern::regex_search(regex).unwrap(),
                })
                .collect();
            // Each regex by itself, anchored by its text, and its groups as the engine reports them.
            let expected = regexes.iter().enumerate().find_map(|(index, (regex, anchoring))| {
                let anchored = match anchoring {
                    0 => format!(r"\A(?:{regex})\z"),
                    1 => format!(r"\A(?:{regex})"),
                    _ => regex.clone(),
                };
                let alone = Regex::new(&anchored).unwrap();
                let mut captures = alone.create_captures();
                alone.captures(&path, &mut captures);
                captures.is_match().then(|| {
                    let groups: Vec<_> = captures.iter().skip(1).collect();
                    (index, groups)
                })
            });
            let found = find(&patterns, &path).map(|found| {
                let groups = found.spans().map(|span| span.map(Into::into)).collect();
                (found.index(), groups)
            });
            prop_assert_eq!(found, expected);
        }
    }
}
