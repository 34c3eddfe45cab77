use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Each limit, in bytes, and the text of the rule for it.
#[test]
fn dispatch_19_the_limits_are_the_documented_ones() {
    const RULES: &str = include_str!("../../RULES.md");
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
