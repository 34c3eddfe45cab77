//! The parts of a pattern: alternatives, which are compiled into the tree, and a suffix, which is
//! not.
//!
//! # Idea
//!
//! Most patterns are a sequence of literals with repeated classes between them, such as
//! `/users/[^/]+/events`. Such a sequence is an *alternative*. Others are a choice of a few
//! alternatives, or they begin with one and have more after it. If no class is followed by a
//! character that is in it, a path matches an alternative in one way or not at all. So no automaton
//! is needed to find the match. The offsets of the groups, as bytes after the start of the path or
//! after the end of a class, are known in advance. The part of a pattern that is not compiled is
//! its *suffix*, a regex for the rest of the path.
//!
//! # Example
//!
//! ```text
//! pattern                alternatives                      suffix
//! /users/{id}/events     "/users/" [^/]+ "/events"         none
//! /posts[/{page:int}]    "/posts/" [0-9]+ | "/posts"       none
//! /{name}.{format}       "/"                               ([^/]+)\.([^/]+)
//! ```
//!
//! The first pattern has the group `id` from offset (0 classes, 7 bytes) to (1 class, 0 bytes): it
//! begins 7 bytes after the start of the path, and ends where the first class does. In the second
//! pattern the alternative with the optional end is first, since a regex engine tries it first. In
//! the third pattern the `.` after `[^/]+` is in that class. So the end of the class is ambiguous,
//! and the pattern is only compiled up to the literal before the class. The suffix also has the
//! `\z` with which a template ends. The table does not show it. A pattern for the start of a path
//! has none, so its suffix can be an empty regex.
//!
//! # Invariants
//!
//! - Alternatives are in the order in which a regex engine tries them, so the first one that
//!   matches is the engine's match.
//! - The part after a class begins with a character that is not in it, or it is the end of the
//!   path. A class that may match nothing follows no other class: if it matched nothing, the part
//!   after it would have to be compared with both.
//! - Literals are never beside each other, and never empty.
//! - A pattern with a suffix has one alternative, and that ends with a literal or is empty. It is
//!   empty if the pattern may begin anywhere in the path.
//! - A suffix begins between two parts of the outermost sequence of the regex. So each group is in
//!   the alternative or in the suffix, and never in both.
//! - The groups of a suffix keep the numbers that they have in the whole pattern.
//!
//! # Why it ends, and its cost
//!
//! It descends through the regex once. Repetitions are written out, so they could grow. The limits
//! for alternatives, for classes and for the bytes of literals stop them. A pattern
//! beyond a limit is compiled up to the part that exceeds it, and the rest is its suffix. So a
//! pattern takes time in proportion to its text, times these limits at most.

use crate::{
    Pattern,
    class::Class,
    expr::{Expr, Repeat},
    pattern::Kind,
};

/// The most classes that an alternative may have. A search has room for the ends of this many.
pub(crate) const MAX_CLASSES: usize = 15;

/// The most alternatives that a pattern may have.
const MAX_ALTERNATIVES: usize = 16;

/// The most bytes that the literals of an alternative may have, so that nested repetitions end.
const MAX_LITERAL_BYTES: u32 = 4096;

/// A pattern and its parts.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) pattern: Pattern,
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) suffix: Option<Suffix>,
}

/// The expression that has to match after the alternative.
#[derive(Debug)]
pub(crate) struct Suffix {
    pub(crate) expr: Expr,
    /// Whether it has to begin exactly there.
    pub(crate) is_anchored: bool,
}

/// A sequence of literals and classes from the start of a path to its end, or to a suffix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alternative {
    pub(crate) parts: Vec<Part>,
    /// The start and the end of each group; `None` for one that takes no part, or that is in the
    /// suffix.
    pub(crate) groups: Vec<Option<(Offset, Offset)>>,
    /// The end of the last part.
    end: Offset,
    /// The number of bytes of its literals.
    literal_bytes: u32,
    /// Whether the path has to end there. No literal or class can follow.
    is_ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(Vec<u8>),
    Class(Repeated),
}

/// As many characters of a class as there are, if their number is within bounds. Whether the regex
/// is greedy makes no difference, since fewer characters cannot match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Repeated {
    pub(crate) class: Class,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
}

/// A position in a path: a number of bytes after the end of a class, or after the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Offset {
    /// The number of classes before it.
    pub(crate) classes: u32,
    pub(crate) bytes: u32,
}

impl Compiled {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let is_anchored = pattern.kind() != Kind::RegexSearch;
        let (alternatives, suffix) = compile(pattern.expr(), is_anchored);
        Self {
            pattern: pattern.clone(),
            alternatives,
            suffix: suffix.map(|expr| Suffix { expr, is_anchored }),
        }
    }

    pub(crate) fn all(patterns: &[Pattern]) -> Vec<Self> {
        patterns.iter().map(Self::new).collect()
    }
}

/// Returns the alternatives of an expression, and its suffix.
fn compile(expr: &Expr, is_anchored: bool) -> (Vec<Alternative>, Option<Expr>) {
    let new = Alternative {
        groups: vec![None; expr.group_count()],
        ..Alternative::default()
    };
    if !is_anchored {
        return (vec![new], Some(expr.clone()));
    }
    let whole = new.clone().add(expr);
    if let Some(whole) = whole.filter(|all| all.iter().all(|one| one.is_ended)) {
        return (whole, None);
    }

    let parts = expr.parts();
    let mut prefix = new.clone();
    let mut longer = new;
    let mut len = 0;
    for (index, part) in parts.iter().enumerate() {
        longer = match longer.add(part).map(<[Alternative; 1]>::try_from) {
            Some(Ok([longer])) if !longer.is_ended => longer,
            _ => break,
        };
        // After a class it is not certain that the suffix begins with another character.
        if let None | Some(Part::Literal(_)) = longer.parts.last() {
            len = index + 1;
            prefix = longer.clone();
        }
    }
    let suffix = match &parts[len..] {
        [one] => one.clone(),
        parts => Expr::Concat(parts.to_vec()),
    };
    (vec![prefix], Some(suffix))
}

impl Alternative {
    /// Returns this alternative, continued with each alternative of a part of the expression.
    /// `None` if the part cannot be compiled.
    fn add(mut self, expr: &Expr) -> Option<Vec<Self>> {
        match expr {
            Expr::Empty => {}
            Expr::End => self.is_ended = true,
            Expr::Start if self.parts.is_empty() => {}
            Expr::Literal(text) if text.is_empty() => {}
            Expr::Literal(text) => self.literal(text)?,
            Expr::Class(class) => self.class(class, 1, Some(1))?,
            Expr::Repeat(repeat) => match &*repeat.sub {
                Expr::Class(class) => self.class(class, repeat.min, repeat.max)?,
                _ => return self.repeat(repeat),
            },
            Expr::Group(group) => {
                let start = self.end;
                let mut all = self.add(&group.sub)?;
                for one in &mut all {
                    one.groups[group.index as usize - 1] = Some((start, one.end));
                }
                return Some(all);
            }
            Expr::Concat(parts) => {
                return parts.iter().try_fold(vec![self], |mut all, part| {
                    // Most parts have one alternative, which needs no other list.
                    match all.pop() {
                        Some(one) if all.is_empty() => one.add(part),
                        last => collect(all.into_iter().chain(last).map(|one| one.add(part))),
                    }
                });
            }
            Expr::Any(parts) => {
                return collect(parts.iter().map(|part| self.clone().add(part)));
            }
            Expr::Start => return None,
            #[cfg(feature = "regex")]
            Expr::Other(_) => return None,
        }
        Some(vec![self])
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        let first = literal.chars().next()?;
        let is_ambiguous = match self.parts.last() {
            Some(Part::Class(before)) => before.class.contains(first),
            _ => false,
        };
        if is_ambiguous || self.is_ended {
            return None;
        }
        let len = u32::try_from(literal.len()).ok()?;
        let bytes = self.literal_bytes.checked_add(len);
        self.literal_bytes = bytes.filter(|bytes| *bytes <= MAX_LITERAL_BYTES)?;
        self.end.bytes += len;
        match self.parts.last_mut() {
            Some(Part::Literal(before)) => before.extend_from_slice(literal.as_bytes()),
            _ => self.parts.push(Part::Literal(literal.into())),
        }
        Some(())
    }

    fn class(&mut self, class: &Class, min: u32, max: Option<u32>) -> Option<()> {
        let is_ambiguous = match self.parts.last() {
            Some(Part::Class(before)) => min == 0 || before.class.intersects(class),
            _ => false,
        };
        if is_ambiguous || self.is_ended || self.end.classes as usize == MAX_CLASSES {
            return None;
        }
        self.end = Offset {
            classes: self.end.classes + 1,
            bytes: 0,
        };
        self.parts.push(Part::Class(Repeated {
            class: class.clone(),
            min,
            max,
        }));
        Some(())
    }

    fn repeat(self, repeat: &Repeat) -> Option<Vec<Self>> {
        let Repeat {
            min,
            max: Some(max),
            greedy,
            sub,
        } = repeat
        else {
            return None;
        };
        // An engine repeats an empty match only once.
        if *max > 1 && sub.may_be_empty() {
            return None;
        }
        let mut all = vec![self];
        for _ in 0..*min {
            all = collect(all.into_iter().map(|one| one.add(sub)))?;
        }
        let optional = max - min;
        collect(all.into_iter().map(|one| one.up_to(optional, sub, *greedy)))
    }

    /// Returns this alternative, continued with a part from zero times to a number of times, in the
    /// order of preference.
    fn up_to(self, times: u32, sub: &Expr, greedy: bool) -> Option<Vec<Self>> {
        if times == 0 {
            return Some(vec![self]);
        }
        // Each time is one alternative more.
        if times as usize >= MAX_ALTERNATIVES {
            return None;
        }
        let once = self.clone().add(sub)?.into_iter();
        let more = collect(once.map(|one| one.up_to(times - 1, sub, greedy)));
        let none = Some(vec![self]);
        collect(if greedy { [more, none] } else { [none, more] }.into_iter())
    }
}

/// Collects alternatives in their order. `None` if one of the parts cannot be compiled, or if they
/// are too many.
fn collect(mut all: impl Iterator<Item = Option<Vec<Alternative>>>) -> Option<Vec<Alternative>> {
    all.try_fold(Vec::new(), |mut all, some| {
        all.extend(some?);
        (all.len() <= MAX_ALTERNATIVES).then_some(all)
    })
}

#[cfg(all(test, feature = "unicode"))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
mod tests {
    use super::*;

    /// Returns the alternatives one after the other, with a class as `<min-max>`, groups in
    /// parentheses, and `...` for a suffix.
    fn show(pattern: Pattern) -> String {
        let (alternatives, suffix) = compile(pattern.expr(), true);
        let show = |alternative: &Alternative| {
            let mut text = String::new();
            let mut positions = vec![(Offset::default(), 0)];
            let (mut classes, mut bytes) = (0, 0);
            for part in &alternative.parts {
                match part {
                    Part::Literal(part) => {
                        for byte in part {
                            text.push(char::from(*byte));
                            bytes += 1;
                            positions.push((Offset { classes, bytes }, text.len()));
                        }
                    }
                    Part::Class(Repeated { min, max, .. }) => {
                        let max = max.map_or(String::new(), |max| max.to_string());
                        text += &format!("<{min}-{max}>");
                        (classes, bytes) = (classes + 1, 0);
                        positions.push((Offset { classes, bytes }, text.len()));
                    }
                }
            }
            let position = |offset| {
                let mut positions = positions.iter();
                positions.find(|(own, _)| *own == offset).unwrap().1
            };
            let groups = alternative.groups.iter().map(|group| {
                group.map_or("-".into(), |(start, end)| {
                    format!("({})", &text[position(start)..position(end)])
                })
            });
            let all: Vec<String> = [text.clone()].into_iter().chain(groups).collect();
            all.join(" ")
        };
        let suffix = suffix.map(|_| "...".to_owned());
        let all: Vec<String> = alternatives.iter().map(show).chain(suffix).collect();
        all.join(" | ")
    }

    #[test]
    fn dispatch_1_alternatives_are_in_the_order_of_the_regex() {
        let table = [
            ("", ""),
            ("^/a/b$", "/a/b"),
            ("/a/([^/]+)/b", "/a/<1->/b (<1->)"),
            ("/(a)/(?P<x>[0-9]*)", "/a/<0-> (a) (<0->)"),
            ("/((a[0-9])b)", "/a<1-1>b (a<1-1>b) (a<1-1>)"),
            ("/(?:a|b(c))", "/a - | /bc (c)"),
            (
                "/(a|ab)(c|bcd)",
                "/ac (a) (c) | /abcd (a) (bcd) | /abc (ab) (c) | /abbcd (ab) (bcd)",
            ),
            ("/a(/b)?", "/a/b (/b) | /a -"),
            ("/a(/b)??", "/a - | /a/b (/b)"),
            ("/a(b?)?", "/ab (b) | /a () | /a -"),
            (
                "/a(?:/([0-9]+))?/?",
                "/a/<1->/ (<1->) | /a/<1-> (<1->) | /a/ - | /a -",
            ),
            ("/(?:ab){2}", "/abab"),
            ("/(a){0}(b)", "/b - (b)"),
            ("/(?:(a){0}|(b))", "/ - - | /b - (b)"),
            ("/(?:(a)(b)){0}(?P<x>c)", "/c - - (c)"),
            (
                "/(?:a/([b-d])/){1,2}",
                "/a/<1-1>/a/<1-1>/ (<1-1>) | /a/<1-1>/ (<1-1>)",
            ),
            ("/(?:ab){0,2}", "/abab | /ab | /"),
            ("/[0-9]{2,3}[a-z]+", "/<2-3><1->"),
            ("/(?i:ab)", "/<1-1><1-1>"),
            (r"/\w+-\d{4}", "/<1->-<4-4>"),
            ("/(?-u:[a-c])+é", "/<1->Ã©"),
            ("/.*", "/<0->"),
            ("/(.+)", "/<1-> (<1->)"),
        ];
        for (regex, expected) in table {
            assert_eq!(show(Pattern::regex(regex).unwrap()), expected, "{regex}");
        }
    }

    #[test]
    fn dispatch_1_adjacent_literals_are_one() {
        let pattern = Pattern::regex("/a(b)(?:c)/[0-9]+(d)e").unwrap();
        let (alternatives, _) = compile(pattern.expr(), true);
        let parts = &alternatives[0].parts;
        assert_eq!(parts[0], Part::Literal(b"/abc/".to_vec()));
        assert_eq!(parts[2..], [Part::Literal(b"de".to_vec())]);
    }

    #[test]
    fn dispatch_1_a_suffix_begins_where_a_class_is_ambiguous() {
        let table = [
            // The part after a class may belong to it.
            ("/a/([^/]+)x", "/a/ - | ..."),
            ("/a/([^/]+)/(.+)/x", "/a/<1->/ (<1->) - | ..."),
            ("/[a-z]+[b-d]", "/ | ..."),
            ("/[a-z]+[0-9]*x", "/ | ..."),
            ("/é[a-zé]+é", "/Ã© | ..."),
            ("/a(?:/[^/]+x)?", "/a | ..."),
            // Its end is not certain.
            (r"/ab\b/c", "/ab | ..."),
            ("/a/(b+)", "/a/ - | ..."),
            ("/a/(?:bc)+", "/a/ | ..."),
            ("/a/(?:b?){2}", "/a/ | ..."),
            ("/a$b", "/a | ..."),
            ("/a(?:^b|c)", "/a | ..."),
            ("(?m:^)/a", " | ..."),
            // Too many alternatives, classes or repetitions.
            ("/(?:a|b/|c/|d/|e/){2}", "/ | ..."),
            ("/(?:ab){2048}", "/ | ..."),
            ("/(?:(?:(?:(?:(?:a){16}){16}){16}){16}){16}", "/ | ..."),
            ("/(?:ab){0,16}", "/ | ..."),
            ("/(?:[ab]-){16}", "/ | ..."),
        ];
        for (regex, expected) in table {
            assert_eq!(show(Pattern::regex(regex).unwrap()), expected, "{regex}");
        }
        let most = show(Pattern::regex("/(?:[ab]-){15}").unwrap());
        assert!(most.ends_with("<1-1>-"), "{most}");
        let most = show(Pattern::regex("/(?:abc){1365}").unwrap());
        assert_eq!(most, format!("/{}", "abc".repeat(1365)));
        assert_eq!(
            show(Pattern::regex("/(?:ab){0,15}").unwrap())
                .matches('|')
                .count(),
            15
        );
        assert_eq!(
            show(Pattern::regex("/(?:a|b/|c/|d/){2}").unwrap())
                .matches('|')
                .count(),
            15
        );
        assert_eq!(show(Pattern::regex_prefix("/a/[b]").unwrap()), "/a/b | ...");
    }
}
