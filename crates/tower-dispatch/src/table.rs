//! The compiled table, whose answer is always that of the plain loop "for each pattern: does it match? if not, the
//! next".

use std::{error::Error, fmt, ops::Range};

use regex_automata::meta;

use crate::{
    Pattern,
    each::Each,
    spans::{Span, Spans},
    tree::Tree,
};

/// The most memory, in bytes, that a search may take before it is used, and the most that all regexes of rests may.
pub(crate) const TABLE_LIMIT: usize = 64 << 20;

/// Patterns, compiled: finds the first one that matches a path.
#[derive(Debug)]
pub struct Table {
    names: Vec<Box<[Option<Box<str>>]>>,
    each: Each,
    search: Search,
}

impl Table {
    /// Compiles patterns whose order is their precedence.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if they are too large.
    pub fn new(patterns: &[Pattern]) -> Result<Self, TableError> {
        Ok(Self {
            names: patterns.iter().map(Pattern::group_names).collect(),
            // One pattern at a time first: those errors say more.
            each: Each::new(patterns, TABLE_LIMIT)?,
            search: Search::new(patterns, (0..patterns.len()).collect(), TABLE_LIMIT)?,
        })
    }

    /// The first pattern that matches the path, which is taken as it stands, without any decoding. A path of 4 GiB or
    /// more matches none.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Match> {
        self.search.find(&self.each, path)
    }

    /// The names of the groups of the pattern at this place, in the order of the groups; `None` for one
    /// without a name. Nothing beyond the last pattern.
    pub fn group_names(&self, index: usize) -> impl Iterator<Item = Option<&str>> {
        self.names
            .get(index)
            .into_iter()
            .flatten()
            .map(Option::as_deref)
    }
}

/// Which pattern matched, and what its groups did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub(crate) index: usize,
    pub(crate) whole: Span,
    pub(crate) groups: Spans,
}

impl Match {
    /// The place of the pattern in the table, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where the pattern matched, in bytes of the path.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.whole.range().unwrap_or_default()
    }

    /// Where the pattern's groups matched, in bytes of the path and in the order of the groups; `None`
    /// for a group that took no part.
    pub fn spans(&self) -> impl Iterator<Item = Option<Range<usize>>> {
        self.groups.iter()
    }
}

/// Which of some of the patterns is the first to match.
#[derive(Debug)]
pub(crate) struct Search {
    /// The patterns that are searched, by their place among all.
    patterns: Vec<usize>,
    tree: Tree,
}

impl Search {
    /// Searches those of the patterns that are named, in that order.
    pub(crate) fn new(
        all: &[Pattern],
        patterns: Vec<usize>,
        limit: usize,
    ) -> Result<Self, TableError> {
        Ok(Self {
            tree: Tree::new(all, &patterns, limit)?,
            patterns,
        })
    }

    pub(crate) fn patterns(&self) -> &[usize] {
        &self.patterns
    }

    /// The first pattern that matches. A path of 4 GiB or more matches none.
    #[inline]
    pub(crate) fn find(&self, each: &Each, path: &str) -> Option<Match> {
        u32::try_from(path.len()).ok()?;
        self.tree.find(each, path)
    }
}

/// Why patterns that are each well-formed do not make a table: they take too much memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableError {
    /// The place of the pattern and its text, if it is one alone that is too large.
    pattern: Option<(usize, Box<str>)>,
    reason: String,
}

impl TableError {
    pub(crate) fn one(index: usize, pattern: &str, source: &meta::BuildError) -> Self {
        Self {
            pattern: Some((index, pattern.into())),
            ..Self::all(source.size_limit(), source)
        }
    }

    pub(crate) fn all(limit: Option<usize>, source: &dyn Error) -> Self {
        match limit {
            Some(limit) => Self::too_large(limit),
            None => Self {
                pattern: None,
                reason: source.to_string(),
            },
        }
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self {
            pattern: None,
            reason: format!("compiled, it exceeds the limit of {limit} bytes"),
        }
    }

    /// The place of the pattern that is too large, from 0; `None` if it is all of them together.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.pattern.as_ref().map(|(index, _)| *index)
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Some((_, pattern)) => write!(f, "pattern {pattern:?}: {}", self.reason),
            None => write!(f, "the table of patterns: {}", self.reason),
        }
    }
}

impl Error for TableError {}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    /// Every limit, in bytes, and the words of the README for it.
    #[test]
    fn limits_are_what_the_readme_says() {
        const README: &str = include_str!("../README.md");
        let table = [
            (
                TABLE_LIMIT,
                67_108_864,
                "A method's table may take 64 MiB, the regexes of all methods another 64",
            ),
            (
                crate::each::PATTERN_LIMIT,
                10_485_760,
                "and one pattern 10: more is an error of `build()`",
            ),
            (
                crate::tree::grow::CACHE_CAPACITY,
                4_194_304,
                "in up to 4 MiB for each request that is being",
            ),
            (
                crate::each::CACHE_CAPACITY,
                262_144,
                "a regex by itself in up to 256 KiB",
            ),
        ];
        for (limit, expected, words) in table {
            assert_eq!(limit, expected, "{words}");
            assert!(README.contains(words), "{words}");
        }
        assert_eq!(crate::rests::FEW, 4);
        assert!(README.contains("more than four from"));
    }

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
    fn an_earlier_pattern_wins_over_a_rest_that_was_found_before_it() {
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
    fn a_run_is_counted_in_characters() {
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
    fn the_limit_is_for_the_tree_too() {
        let templates = (0..10).map(|i| format!("/{i}{}", "x".repeat(1_000)));
        let patterns: Vec<_> = templates
            .map(|text| Pattern::template(&text).unwrap())
            .collect();
        let search = |limit| Search::new(&patterns, (0..10).collect(), limit);
        assert!(search(9_000).is_err());
        assert!(search(20_000).is_ok());
    }

    #[test]
    fn matches_are_equal_if_all_of_them_is() {
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
    fn a_group_that_took_no_part_is_absent() {
        let pattern = Pattern::regex("/(a)?(b?)(c)").unwrap();
        let spans: Vec<_> = find(&[pattern], "/c").unwrap().spans().collect();
        assert_eq!(spans, [None, Some(1..1), Some(1..2)]);
    }

    #[test]
    fn patterns_that_take_too_much_memory_are_refused() {
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
        let error = Search::new(&patterns, (0..10).collect(), 100_000).unwrap_err();
        assert_eq!(error.index(), None);
        assert_eq!(
            error.to_string(),
            "the table of patterns: compiled, it exceeds the limit of 100000 bytes"
        );
        assert!(Search::new(&patterns, vec![0], 100_000).is_ok());
    }

    #[test]
    fn the_limit_is_for_all_automata_of_a_search_together() {
        let stem = |stem: &'static str| (0..5).map(move |i| format!(r"/{stem}/.*\w{i}"));
        let fit = |regexes: Vec<String>, limit: usize| {
            let patterns: Vec<_> = (regexes.iter())
                .map(|regex| Pattern::regex(regex).unwrap())
                .collect();
            Search::new(&patterns, (0..patterns.len()).collect(), limit).is_ok()
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
    fn time_grows_in_proportion_to_the_length_of_the_path() {
        // Half of them leave the tree at places of their own, half at the same place.
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
    fn no_long_path_is_hostile() {
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
    fn time_grows_with_the_path_and_not_with_a_hostile_one() {
        let templates = (0..500).map(|i| format!("/{{lang}}/{{a}}-{{b}}.{{c}}-r{i}/{{*y}}"));
        let mut patterns: Vec<Pattern> = templates
            .map(|template| Pattern::template(&template).unwrap())
            .collect();
        // More states than the cache holds: an engine that gave up there took a second for this.
        let table = Table::new(&patterns).unwrap();
        let path = format!("/en/{}", "a-b.c-r".repeat(30));
        assert!(time(&table, &path) < Duration::from_millis(500));
        // The automaton cannot decide `\b` beside a letter that is not ASCII: an engine that then
        // kept track of all patterns took a second for this.
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
        fn the_table_answers_as_the_plain_loop_does(
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
            // Each regex by itself, anchored by its text, and its groups as the engine reports them.
            let expected = regexes.iter().enumerate().find_map(|(index, (regex, anchoring))| {
                let anchored = match anchoring {
                    0 => format!(r"\A(?:{regex})\z"),
                    1 => format!(r"\A(?:{regex})"),
                    _ => regex.clone(),
                };
                let alone = meta::Regex::new(&anchored).unwrap();
                let mut captures = alone.create_captures();
                alone.captures(&path, &mut captures);
                captures.is_match().then(|| {
                    let groups: Vec<_> = captures.iter().collect();
                    (index, groups)
                })
            });
            let found = find(&patterns, &path).map(|found| {
                let spans = std::iter::once(Some(found.span())).chain(found.spans());
                let groups = spans.map(|span| span.map(Into::into)).collect();
                (found.index(), groups)
            });
            prop_assert_eq!(found, expected);
        }
    }
}
