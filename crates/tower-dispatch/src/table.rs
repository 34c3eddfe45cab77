//! The compiled table. It always finds what the loop "for each pattern: does it match? if not, the
//! next" finds, but does not try one pattern after the other.
//!
//! # Idea
//!
//! ```text
//! patterns ── alternatives ──▶ one radix tree
//!    │                           │ where a suffix begins
//!    └────── suffixes ─────────▶ one automaton for each node with more than four
//!                                │ the first that matches
//!                                ▼
//!                              one matcher for each suffix: its groups
//! ```
//!
//! [Alternatives](crate::alternatives) are sequences of literals and classes that a path matches in
//! one way at most. They are numbered in the order of their patterns. All of them are in one
//! [tree](crate::tree), which finds the smallest number that matches, and its groups.
//!
//! A pattern that is only compiled into the tree up to some part has a [suffix](crate::suffixes),
//! an expression for the rest of the path. If more than four suffixes begin at the same node, an
//! [automaton](crate::automaton) finds the first that matches. The groups of that one are found by
//! its own [matcher](crate::matchers): a [backtracker](crate::backtracker), or a
//! [regex](crate::regex) if the suffix is more than literals, classes and choices.
//!
//! # Example
//!
//! ```text
//! 0: /users/{id}            all in the tree
//! 1: /posts[/{page:int}]    all in the tree, as two alternatives
//! 2: /{name}.{format}       the tree up to "/", then the suffix ([^/]+)\.([^/]+)
//! ```
//!
//! For `/logo.png` the tree finds the literal `/`, no child for `l`, and the suffix of pattern 2.
//! The matcher of that suffix matches from byte 1 on, with the groups `logo` and `png`. It is the
//! only suffix there, so it needs no automaton. The examples do not show the `\z` with which a
//! template ends. The [tree](crate::tree) has an example in which a match that is found later wins.
//!
//! # Invariants
//!
//! - A smaller [`PatternIndex`] wins, whatever is more specific. Alternatives are numbered in the
//!   order of their patterns, so a smaller [`AlternativeId`](crate::ids::AlternativeId) wins, too.
//! - A [`Search`] is for some of the patterns, such as those of the routes for one HTTP method. It
//!   has a tree and automata of its own, but the matchers are shared by all searches of a
//!   dispatcher.
//! - A suffix is searched for in the whole path, from an offset on. So `\b` and `^` in a suffix
//!   take account of the text before it.
//! - Each part of it runs in time that is linear in the length of the path. So does the whole. The
//!   factor grows with the number of edges that the path leads to (see [tree](crate::tree)).
//!
//! # Cost
//!
//! A path whose pattern is all in the tree costs one search of the tree. That allocates nothing for
//! up to four groups and up to eight pending edges. The suffixes at a node cost at most one
//! search of a matcher each if there are four or fewer. More than four cost one automaton search,
//! and one of a matcher if a suffix matches. The exception is a path for which the
//! [automaton](crate::automaton) cannot decide: then all of them are tried one by one.
//!
//! The memory for each search, and for all matchers, is limited when the table is made
//! ([`TABLE_LIMIT`]). So all lists have less than 4 Gi entries, and ids and offsets have 32 bits.
//! The tests compare it with the plain loop, on random patterns and paths.

use std::{error::Error, fmt, ops::Range, sync::Arc};

use crate::{
    Pattern,
    alternatives::Compiled,
    ids::PatternIndex,
    matchers::SuffixMatchers,
    spans::{Span, Spans},
    tree::Tree,
};

/// The most memory, in bytes, that the tree and the automata of a search may take, and the most
/// that the matchers of all suffixes may. The caches for the states that are made during a search
/// are not counted. They have limits of their own.
pub(crate) const TABLE_LIMIT: usize = 64 << 20;

/// A compiled list of patterns that finds the first one that matches a path.
///
/// ```
/// use tower_dispatch::{Pattern, Table};
///
/// let patterns = [Pattern::template("/users/{id:int}")?, Pattern::regex("/users/(.+)")?];
/// let table = Table::new(&patterns)?;
/// for (path, index) in [("/users/7", 0), ("/users/a/b", 1)] {
///     assert_eq!(table.find(path).map(|found| found.index()), Some(index));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Table {
    names: Vec<Box<[Option<Box<str>>]>>,
    matchers: SuffixMatchers,
    search: Search,
}

impl Table {
    /// Compiles patterns whose order is their precedence.
    ///
    /// # Errors
    ///
    /// Returns a [`TableError`] if they are too large.
    pub fn new(patterns: &[Pattern]) -> Result<Self, TableError> {
        let all = Compiled::all(patterns);
        Ok(Self {
            names: patterns.iter().map(Pattern::group_names).collect(),
            // One pattern at a time first: those errors name the pattern.
            matchers: SuffixMatchers::new(&all, TABLE_LIMIT)?,
            search: Search::new(
                &all,
                (0..all.len()).map(PatternIndex::new).collect(),
                TABLE_LIMIT,
            )?,
        })
    }

    /// Returns the first pattern that matches the path. The path is not decoded. A path of 4 GiB or
    /// more matches no pattern.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Match> {
        self.search.find(&self.matchers, path)
    }

    /// Returns the names of the groups of the pattern with this index, in the order of the groups.
    /// They are `None` for groups without a name, and there are none if there is no such pattern.
    pub fn group_names(&self, index: usize) -> impl Iterator<Item = Option<&str>> {
        self.names
            .get(index)
            .into_iter()
            .flatten()
            .map(Option::as_deref)
    }
}

/// The pattern that matched, and the parts of the path that its groups matched.
///
/// ```
/// use tower_dispatch::{Pattern, Table};
///
/// let path = "/users/7";
/// let table = Table::new(&[Pattern::template("/users/{id:int}")?])?;
/// let found = table.find(path).ok_or("no match")?;
/// let values: Vec<_> = found.spans().flatten().map(|span| &path[span]).collect();
/// assert_eq!(values, ["7"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub(crate) pattern: PatternIndex,
    pub(crate) whole: Span,
    pub(crate) groups: Spans,
}

impl Match {
    /// Returns the index of the pattern in the table, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.pattern.index()
    }

    /// Returns the range of the match, in bytes of the path.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.whole.range().unwrap_or_default()
    }

    /// Returns the ranges of the pattern's groups, in bytes of the path and in the order of the
    /// groups. They are `None` for groups that took no part in the match.
    pub fn spans(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        self.groups.iter()
    }
}

/// A search for the first of some of the patterns that matches.
#[derive(Debug)]
pub(crate) struct Search {
    patterns: Vec<PatternIndex>,
    tree: Tree,
}

impl Search {
    /// Makes a search of some of the patterns. Their indexes are in ascending order, so that the
    /// smallest has precedence.
    pub(crate) fn new(
        all: &[Compiled],
        patterns: Vec<PatternIndex>,
        limit: usize,
    ) -> Result<Self, TableError> {
        Ok(Self {
            tree: Tree::new(all, &patterns, limit)?,
            patterns,
        })
    }

    pub(crate) fn patterns(&self) -> &[PatternIndex] {
        &self.patterns
    }

    /// Returns the first pattern that matches. A path of 4 GiB or more matches none.
    // `dispatch/github-templates`
    #[inline]
    pub(crate) fn find(&self, matchers: &SuffixMatchers, path: &str) -> Option<Match> {
        u32::try_from(path.len()).ok()?;
        self.tree.find(matchers, path)
    }
}

/// An error of patterns that are each valid, but too large for a table.
///
/// ```
/// use tower_dispatch::{Pattern, Table};
///
/// let large = Pattern::regex("(?:[a-z]{1000}x?){1000}")?;
/// let error = Table::new(&[large]).unwrap_err();
/// assert_eq!((error.index(), error.limit()), (Some(0), Some(10 * 1024 * 1024)));
/// # Ok::<(), tower_dispatch::PatternError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TableError {
    /// The pattern, if one alone is too large.
    pattern: Option<(PatternIndex, Pattern)>,
    cause: Cause,
}

#[derive(Clone, Debug)]
enum Cause {
    /// They need more bytes than this.
    Limit(usize),
    #[cfg_attr(
        not(feature = "regex"),
        expect(dead_code, reason = "only an engine has others")
    )]
    Other(Arc<dyn Error + Send + Sync>),
}

impl TableError {
    #[cfg(feature = "regex")]
    pub(crate) fn one(
        index: PatternIndex,
        pattern: &Pattern,
        source: regex_automata::nfa::thompson::BuildError,
    ) -> Self {
        Self {
            pattern: Some((index, pattern.clone())),
            ..Self::all(source.size_limit(), source)
        }
    }

    #[cfg(not(feature = "regex"))]
    pub(crate) fn one_too_large(index: PatternIndex, pattern: &Pattern, limit: usize) -> Self {
        Self {
            pattern: Some((index, pattern.clone())),
            ..Self::too_large(limit)
        }
    }

    #[cfg(feature = "regex")]
    pub(crate) fn all(limit: Option<usize>, source: impl Error + Send + Sync + 'static) -> Self {
        let cause = match limit {
            Some(limit) => Cause::Limit(limit),
            None => Cause::Other(Arc::new(source)),
        };
        Self {
            pattern: None,
            cause,
        }
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self {
            pattern: None,
            cause: Cause::Limit(limit),
        }
    }

    /// Returns the index of the pattern that is too large, from 0. It is `None` if only all of them
    /// together are.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.pattern.as_ref().map(|(index, _)| index.index())
    }

    /// Returns the limit that is exceeded, in bytes. It is `None` if the regex engine has a limit
    /// of another kind, such as the number of states. Then that is the source of the error.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        match &self.cause {
            Cause::Limit(limit) => Some(*limit),
            Cause::Other(_) => None,
        }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Some((_, pattern)) => write!(f, "pattern {:?}: ", pattern.as_str())?,
            None => f.write_str("the table of patterns: ")?,
        }
        match &self.cause {
            Cause::Limit(limit) => write!(f, "compiled, it exceeds the limit of {limit} bytes"),
            Cause::Other(_) => f.write_str("it cannot be compiled"),
        }
    }
}

impl Error for TableError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Limit(_) => None,
            Cause::Other(source) => Some(&**source),
        }
    }
}

#[cfg(all(test, feature = "unicode"))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    /// Each limit, in bytes, and the text of the rule for it.
    #[test]
    fn dispatch_19_the_limits_are_the_documented_ones() {
        const RULES: &str = include_str!("../RULES.md");
        let table = [
            (
                TABLE_LIMIT,
                67_108_864,
                "A method's table may take 64 MiB, the regexes of all methods another 64",
            ),
            (
                crate::matchers::PATTERN_LIMIT,
                10_485_760,
                "and one pattern 10. More is an error of `build()`.",
            ),
            (
                crate::tree::grow::CACHE_CAPACITY,
                4_194_304,
                "in up to 4 MiB for each request that is being dispatched",
            ),
            (
                crate::regex::CACHE_CAPACITY,
                262_144,
                "a regex by itself in up to 256 KiB",
            ),
        ];
        for (limit, expected, words) in table {
            assert_eq!(limit, expected, "{words}");
            let rules = RULES.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(rules.contains(words), "{words}");
        }
        assert_eq!(crate::suffixes::FEW, 4);
        assert!(RULES.contains("More than four suffixes from the same node"));
    }

    fn find(patterns: &[Pattern], path: &str) -> Option<Match> {
        Table::new(patterns).unwrap().find(path)
    }

    fn search(patterns: &[Pattern], limit: usize) -> Result<Search, TableError> {
        let all = Compiled::all(patterns);
        let indexes = (0..all.len()).map(PatternIndex::new).collect();
        Search::new(&all, indexes, limit)
    }

    #[test]
    fn dispatch_1_the_first_pattern_that_matches_wins() {
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
    fn dispatch_2_the_constructor_decides_the_anchors() {
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
    fn dispatch_2_a_search_takes_the_leftmost_match() {
        let pattern = Pattern::regex_search("(b+)").unwrap();
        let spans: Vec<_> = find(&[pattern], "abbab").unwrap().spans().collect();
        assert_eq!(spans, [Some(1..3)]);
    }

    #[test]
    fn dispatch_1_an_earlier_pattern_wins_over_a_found_suffix() {
        let patterns = [
            Pattern::template("/{x}/c").unwrap(),
            Pattern::regex("/a/(.*)c").unwrap(),
        ];
        let found = find(&patterns, "/a/c").unwrap();
        assert_eq!((found.index(), found.spans().next()), (0, Some(Some(1..2))));
        let found = find(&patterns, "/a/bc").unwrap();
        assert_eq!((found.index(), found.spans().next()), (1, Some(Some(3..4))));
    }

    #[test]
    fn dispatch_2_a_class_counts_characters() {
        let pattern = Pattern::regex("/[a-zü]{2,3}").unwrap();
        for (path, expected) in [
            ("/ü", false),
            ("/üü", true),
            ("/aüü", true),
            ("/üüüü", false),
        ] {
            assert_eq!(
                find(std::slice::from_ref(&pattern), path).is_some(),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn dispatch_19_the_limit_is_for_the_tree_too() {
        let templates = (0..10).map(|i| format!("/{i}{}", "x".repeat(1_000)));
        let patterns: Vec<_> = templates
            .map(|text| Pattern::template(&text).unwrap())
            .collect();
        let search = |limit| search(&patterns, limit);
        assert!(search(9_000).is_err());
        assert!(search(20_000).is_ok());
    }

    #[test]
    fn dispatch_4_matches_are_equal_if_all_their_groups_are() {
        for template in ["/{a}", "/{a}[/{b}]", "/{a}-{b}-{c}-{d}-{e}"] {
            let patterns = [Pattern::template(template).unwrap()];
            let one = find(&patterns, "/a-b-c-d-e");
            assert!(one.is_some());
            assert_eq!(one, find(&patterns, "/a-b-c-d-e"));
            assert_ne!(one, find(&patterns, "/a-b-c-dd-e"));
        }
        // Of the same length, with other groups.
        let patterns = [Pattern::template("/{a}-{b}").unwrap()];
        assert_ne!(find(&patterns, "/aa-b"), find(&patterns, "/a-bb"));
    }

    #[test]
    fn dispatch_4_a_group_that_took_no_part_is_absent() {
        let pattern = Pattern::regex("/(a)?(b?)(c)").unwrap();
        let spans: Vec<_> = find(&[pattern], "/c").unwrap().spans().collect();
        assert_eq!(spans, [None, Some(1..1), Some(1..2)]);
    }

    #[test]
    fn dispatch_19_patterns_of_too_much_memory_are_rejected() {
        let small = Pattern::regex(r".*\w").unwrap();
        for too_large in [r"(\w{100}){100}", r"(?:\w{100}){100}"] {
            let patterns = [small.clone(), Pattern::regex(too_large).unwrap()];
            let error = Table::new(&patterns).unwrap_err();
            assert_eq!(error.index(), Some(1));
            assert_eq!(
                error.to_string(),
                format!("pattern {too_large:?}: compiled, it exceeds the limit of 10485760 bytes")
            );
        }
        let patterns = vec![small; 10];
        let error = search(&patterns, 100_000).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the table of patterns: compiled, it exceeds the limit of 100000 bytes"
        );
        assert_eq!((error.index(), error.limit()), (None, Some(100_000)));
        assert!(search(&patterns[..1], 100_000).is_ok());
    }

    #[test]
    fn dispatch_19_the_limit_is_for_all_automata_together() {
        let stem = |stem: &'static str| (0..5).map(move |i| format!(r"/{stem}/.*\w{i}"));
        let fit = |regexes: Vec<String>, limit: usize| {
            let patterns: Vec<_> = (regexes.iter())
                .map(|regex| Pattern::regex(regex).unwrap())
                .collect();
            search(&patterns, limit).is_ok()
        };
        let mut limits = (1..).map(|tens| tens * 10_000);
        let least = limits
            .find(|limit| fit(stem("a").collect(), *limit))
            .unwrap();
        let two = || stem("a").chain(stem("b")).collect();
        assert!(!fit(two(), least));
        assert!(fit(two(), 2 * least));
    }

    /// The time of a search, the fastest of five.
    fn time(table: &Table, path: &str) -> Duration {
        let once = || {
            let start = Instant::now();
            std::hint::black_box(table.find(path));
            start.elapsed()
        };
        (0..5).map(|_| once()).min().unwrap()
    }

    #[test]
    fn dispatch_2_time_is_linear_in_the_length_of_the_path() {
        // Half of them leave the tree at nodes of their own, half at the same node.
        let regexes = (0..500).flat_map(|i| [format!("/a{i}/(.+)/b"), format!("/(.+)/b{i}/c")]);
        let patterns: Vec<_> = regexes
            .map(|regex| Pattern::regex(&regex).unwrap())
            .collect();
        let table = Table::new(&patterns).unwrap();
        let of = |length: usize| time(&table, &"/b1".repeat(length / 3));
        // The automaton's states are made by then.
        of(4 << 10);
        let (short, long) = (of(4 << 10), of(64 << 10));
        println!("1,000 patterns: 4 KiB in {short:?}, 64 KiB in {long:?}");
        assert!(long < 3 * 16 * short);
    }

    #[test]
    fn dispatch_2_no_long_path_is_hostile() {
        let one = |regex: &str| vec![Pattern::regex(regex).unwrap()];
        let few = (0..4).map(|i| Pattern::regex(&format!("/.*[a-c]{{300}}x{i}")).unwrap());
        for (patterns, path) in [
            (one(r"/(\w+)"), "é".repeat(32_000)),
            (one(r"/(\pL+)-x"), "日".repeat(20_000)),
            (one(r"/.*\w{50}-x"), "a".repeat(60_000)),
            (few.collect(), "ab".repeat(30_000)),
        ] {
            let table = Table::new(&patterns).unwrap();
            assert!(
                time(&table, &format!("/{path}")) < Duration::from_millis(300),
                "{patterns:?}"
            );
        }
    }

    #[test]
    fn dispatch_2_many_ends_of_classes_take_linear_time() {
        let templates = [
            "/{a}-{b}-{c}-x",
            "/{*a}/{b}/{*c}-x",
            "/{*a}-[{b:any(-,--)}-{*c}x]",
        ];
        let patterns = templates.map(|template| Pattern::template(template).unwrap());
        let table = Table::new(&patterns).unwrap();
        for part in ["-", "/", "-/", "é-"] {
            let path = format!("/{}", part.repeat((64 << 10) / part.len()));
            assert!(time(&table, &path) < Duration::from_millis(300), "{part}");
        }
    }

    #[test]
    fn dispatch_1_segments_of_every_length_are_found() {
        // They share their first and last bytes, and many of them a place in the hash table.
        let segments = (0..24).flat_map(|len| {
            let text = format!("/a/{}", "x".repeat(len));
            (0..len).map(move |at| {
                let mut text = text.clone();
                text.replace_range(at + 3..=at + 3, "y");
                text
            })
        });
        let texts: Vec<String> = segments.chain(["/a/".into(), "/a".into()]).collect();
        let patterns: Vec<Pattern> = (texts.iter())
            .map(|text| Pattern::template(text).unwrap())
            .collect();
        let table = Table::new(&patterns).unwrap();
        for (index, text) in texts.iter().enumerate() {
            let find = |path: &str| table.find(path).map(|found| found.index());
            assert_eq!(find(text), Some(index), "{text}");
            assert_eq!(
                find(&format!("{text}/")),
                (text == "/a").then_some(texts.len() - 2)
            );
            if text.contains('y') {
                assert_eq!(find(&text.replace('y', "z")), None, "{text}");
                assert_eq!(find(&format!("{text}\0")), None, "{text}");
            }
        }
    }

    #[test]
    fn dispatch_2_a_hostile_path_takes_linear_time() {
        let templates = (0..500).map(|i| format!("/{{lang}}/{{a}}-{{b}}.{{c}}-r{i}/{{*y}}"));
        let mut patterns: Vec<Pattern> = templates
            .map(|template| Pattern::template(&template).unwrap())
            .collect();
        // More states than the cache has room for. An engine that gave up there took a second.
        let table = Table::new(&patterns).unwrap();
        let path = format!("/en/{}", "a-b.c-r".repeat(30));
        assert!(time(&table, &path) < Duration::from_millis(500));
        // The automaton cannot decide `\b` beside a letter that is not ASCII. An engine that then
        // kept track of all patterns took a second.
        patterns.truncate(100);
        patterns.push(Pattern::regex(r".*\bx").unwrap());
        let table = Table::new(&patterns).unwrap();
        let path = format!("/é/{}", "a-b.c-r".repeat(300));
        assert!(time(&table, &path) < Duration::from_millis(500));
        assert_eq!(table.find("/é x").map(|found| found.index()), Some(100));
    }

    /// Regexes of every shape, over an alphabet of few letters, so that many match.
    fn regex() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("a".to_owned()),
            Just("b".to_owned()),
            Just("/".to_owned()),
            Just(".".to_owned()),
            Just("[^/]+".to_owned()),
            Just("(a|ab)".to_owned()),
            Just("é".to_owned()),
            Just(r"\b".to_owned()),
            Just(r"\B".to_owned()),
            Just("^".to_owned()),
            Just("$".to_owned()),
            Just("(?m:^)".to_owned()),
            Just("(?m:$)".to_owned()),
            Just("(?i:A)".to_owned()),
            Just("(a){0}".to_owned()),
            Just("(?:(a)|(b)){0}".to_owned()),
            Just("[é-ü]+".to_owned()),
            Just(r"\n".to_owned()),
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
        fn dispatch_1_the_table_finds_what_the_plain_loop_finds(
            regexes in proptest::collection::vec((regex(), 0..3_usize), 1..6),
            path in "[abé/\n]{0,8}",
        ) {
            let patterns: Vec<Pattern> = regexes
                .iter()
                .map(|(regex, anchoring)| match anchoring {
                    0 => Pattern::regex(regex).unwrap(),
                    1 => Pattern::regex_prefix(regex).unwrap(),
                    _ => Pattern::regex_search(regex).unwrap(),
                })
                .collect();
            // Each regex by itself, anchored by its text, and its groups as the engine reports
            // them.
            let expected = regexes.iter().enumerate().find_map(|(index, (regex, anchoring))| {
                let anchored = match anchoring {
                    0 => format!(r"\A(?:{regex})\z"),
                    1 => format!(r"\A(?:{regex})"),
                    _ => regex.clone(),
                };
                let alone = regex::Regex::new(&anchored).unwrap();
                alone.captures(&path).map(|captures| {
                    let groups = captures.iter().map(|group| group.map(|group| group.range()));
                    (index, groups.collect::<Vec<_>>())
                })
            });
            let found = find(&patterns, &path).map(|found| {
                let spans = std::iter::once(Some(found.span())).chain(found.spans());
                (found.index(), spans.collect::<Vec<_>>())
            });
            prop_assert_eq!(found, expected);
        }
    }
}
