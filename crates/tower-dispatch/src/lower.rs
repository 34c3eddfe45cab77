//! Lowering: most patterns are texts with runs of characters between them, such as `/users/[^/]+/events`, in one way or in
//! a few, or they begin like that. A path matches such a way once or not at all, so a tree finds it faster than an automaton, and
//! knows its groups too. What is left of a pattern is the regex of its rest.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look, Repetition};

/// The most runs that a way may have: a search has room for so many.
pub(crate) const RUNS: usize = 15;

/// The most ways that a pattern may have.
const WAYS: usize = 16;

/// The most bytes that the texts of a way may have, so that repetitions in repetitions come to an end.
const TEXT: u32 = 4096;

/// A pattern, lowered.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    /// In the order in which a regex engine would try them: the first that matches is the match.
    pub(crate) ways: Vec<Way>,
    /// What has to match after the one way that there is then. Its groups have the numbers that they have in the whole.
    pub(crate) rest: Option<Hir>,
}

/// What a path has to be, from its start to its end or to where the rest begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    pub(crate) parts: Vec<Part>,
    /// Where the groups are; `None` for one that has no part in this way.
    pub(crate) groups: Vec<Option<(Mark, Mark)>>,
    /// Where the last part ends.
    mark: Mark,
    /// How many bytes its texts have.
    text: u32,
    /// Whether the end of the path must be there.
    ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Vec<u8>),
    Run(Run),
}

/// As many characters of a set as there are, if they are not too few or too many. What follows is never one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) set: ClassUnicode,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
}

/// A place in a path: so many bytes after the end of the run before, or after the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    /// How many runs are before it.
    pub(crate) runs: u32,
    pub(crate) bytes: u32,
}

/// Lowers as much of a regex as can be lowered, if it has to match from the start of the path.
pub(crate) fn lower(hir: &Hir, anchored: bool) -> Lowered {
    let new = Way {
        groups: vec![None; group_count(hir)],
        ..Way::default()
    };
    if !anchored {
        return Lowered {
            ways: vec![new],
            rest: Some(hir.clone()),
        };
    }
    let whole = new.clone().add(hir);
    if let Some(ways) = whole.filter(|ways| ways.iter().all(|way| way.ended)) {
        return Lowered { ways, rest: None };
    }

    let parts = match hir.kind() {
        HirKind::Concat(parts) => parts,
        _ => std::slice::from_ref(hir),
    };
    let mut longer = new.clone();
    let mut len = 0;
    for (index, part) in parts.iter().enumerate() {
        longer = match longer.add(part).map(<[Way; 1]>::try_from) {
            Some(Ok([way])) if !way.ended => way,
            _ => break,
        };
        // After a run it is not certain that the rest begins with something else.
        if let None | Some(Part::Text(_)) = longer.parts.last() {
            len = index + 1;
        }
    }
    let (stem, rest) = parts.split_at(len);
    Lowered {
        ways: stem
            .iter()
            .try_fold(vec![new], |ways, part| {
                collect_ways(ways.into_iter().map(|way| way.add(part)))
            })
            .unwrap_or_default(),
        rest: Some(Hir::concat(rest.to_vec())),
    }
}

/// How many groups a regex has. One that is repeated not even once keeps its number, and is nowhere else.
pub(crate) fn group_count(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Capture(group) => group_count(&group.sub).max(group.index as usize),
        HirKind::Repetition(repetition) => group_count(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(group_count).max().unwrap_or(0)
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => 0,
    }
}

impl Way {
    /// All the ways to go on with this part of a regex; `None` if it cannot be lowered.
    fn add(mut self, hir: &Hir) -> Option<Vec<Self>> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Look(Look::End) => self.ended = true,
            HirKind::Look(Look::Start) if self.parts.is_empty() => {}
            HirKind::Literal(literal) => self.text(&literal.0)?,
            HirKind::Class(class) => self.run(class, 1, Some(1))?,
            HirKind::Repetition(repetition) => match repetition.sub.kind() {
                HirKind::Class(class) => self.run(class, repetition.min, repetition.max)?,
                _ => return self.repeat(repetition),
            },
            HirKind::Capture(group) => {
                let start = self.mark;
                let mut ways = self.add(&group.sub)?;
                for way in &mut ways {
                    way.groups[group.index as usize - 1] = Some((start, way.mark));
                }
                return Some(ways);
            }
            HirKind::Concat(parts) => {
                return parts.iter().try_fold(vec![self], |ways, part| {
                    collect_ways(ways.into_iter().map(|way| way.add(part)))
                });
            }
            HirKind::Alternation(parts) => {
                return collect_ways(parts.iter().map(|part| self.clone().add(part)));
            }
            HirKind::Look(_) => return None,
        }
        Some(vec![self])
    }

    fn text(&mut self, text: &[u8]) -> Option<()> {
        let first = std::str::from_utf8(text).ok()?.chars().next()?;
        let blurred = match self.parts.last() {
            Some(Part::Run(run)) => contains(&run.set, first),
            _ => false,
        };
        if blurred || self.ended {
            return None;
        }
        let len = u32::try_from(text.len()).ok()?;
        self.text = self.text.checked_add(len).filter(|text| *text <= TEXT)?;
        self.mark.bytes += len;
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.extend_from_slice(text),
            _ => self.parts.push(Part::Text(text.to_vec())),
        }
        Some(())
    }

    fn run(&mut self, class: &Class, min: u32, max: Option<u32>) -> Option<()> {
        let set = match class {
            Class::Unicode(set) => set.clone(),
            Class::Bytes(set) => set.to_unicode_class()?,
        };
        let blurred = match self.parts.last() {
            Some(Part::Run(before)) => {
                let mut both = before.set.clone();
                both.intersect(&set);
                min == 0 || !both.ranges().is_empty()
            }
            _ => false,
        };
        if blurred || self.ended || self.mark.runs as usize == RUNS {
            return None;
        }
        self.mark = Mark {
            runs: self.mark.runs + 1,
            bytes: 0,
        };
        self.parts.push(Part::Run(Run { set, min, max }));
        Some(())
    }

    fn repeat(self, repetition: &Repetition) -> Option<Vec<Self>> {
        let Repetition {
            min,
            max: Some(max),
            greedy,
            sub,
        } = repetition
        else {
            return None;
        };
        // What repeats nothing does so only once.
        if *max > 1 && sub.properties().minimum_len() == Some(0) {
            return None;
        }
        let mut ways = vec![self];
        for _ in 0..*min {
            ways = collect_ways(ways.into_iter().map(|way| way.add(sub)))?;
        }
        collect_ways(
            ways.into_iter()
                .map(|way| way.up_to(max - min, sub, *greedy)),
        )
    }

    /// So many times or less, in the order of preference.
    fn up_to(self, times: u32, sub: &Hir, greedy: bool) -> Option<Vec<Self>> {
        if times == 0 {
            return Some(vec![self]);
        }
        // Each time is one way more.
        if times as usize >= WAYS {
            return None;
        }
        let once = self.clone().add(sub)?;
        let more = collect_ways(
            once.into_iter()
                .map(|way| way.up_to(times - 1, sub, greedy)),
        );
        let none = Some(vec![self]);
        collect_ways(if greedy { [more, none] } else { [none, more] }.into_iter())
    }
}

/// All of them in their order, if they are not too many.
fn collect_ways(mut ways: impl Iterator<Item = Option<Vec<Way>>>) -> Option<Vec<Way>> {
    ways.try_fold(Vec::new(), |mut all, some| {
        all.extend(some?);
        (all.len() <= WAYS).then_some(all)
    })
}

fn contains(set: &ClassUnicode, c: char) -> bool {
    (set.ranges().iter()).any(|range| range.start() <= c && c <= range.end())
}

#[cfg(test)]
mod tests {
    use crate::Pattern;

    use super::*;

    /// The ways one after the other, with a run as `<min-max>`, groups in parentheses, and `...` for a rest.
    fn show(pattern: Pattern) -> String {
        let lowered = lower(pattern.hir(), true);
        let way = |way: &Way| {
            let mut text = String::new();
            let mut places = vec![(Mark::default(), 0)];
            let (mut runs, mut bytes) = (0, 0);
            for part in &way.parts {
                match part {
                    Part::Text(part) => {
                        for byte in part {
                            text.push(char::from(*byte));
                            bytes += 1;
                            places.push((Mark { runs, bytes }, text.len()));
                        }
                    }
                    Part::Run(Run { min, max, .. }) => {
                        let max = max.map_or(String::new(), |max| max.to_string());
                        text += &format!("<{min}-{max}>");
                        (runs, bytes) = (runs + 1, 0);
                        places.push((Mark { runs, bytes }, text.len()));
                    }
                }
            }
            let groups: Vec<String> = (way.groups.iter())
                .map(|group| {
                    let place = |mark: Mark| places.iter().find(|(own, _)| *own == mark).unwrap().1;
                    group.map_or("-".into(), |(start, end)| {
                        format!("({})", &text[place(start)..place(end)])
                    })
                })
                .collect();
            [text]
                .into_iter()
                .chain(groups)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let rest = lowered.rest.map(|_| "...".to_owned());
        let ways: Vec<String> = lowered.ways.iter().map(way).chain(rest).collect();
        ways.join(" | ")
    }

    #[test]
    fn what_is_texts_and_runs_is_lowered_in_the_order_of_the_regex() {
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
    fn texts_beside_each_other_are_one() {
        let pattern = Pattern::regex("/a(b)(?:c)/[0-9]+(d)e").unwrap();
        let parts = &pattern.ways()[0].parts;
        assert_eq!(parts[0], Part::Text(b"/abc/".to_vec()));
        assert_eq!(parts[2..], [Part::Text(b"de".to_vec())]);
    }

    #[test]
    fn what_is_more_begins_with_as_much_as_is_certain() {
        let table = [
            // What follows a run may be a part of it.
            ("/a/([^/]+)x", "/a/ - | ..."),
            ("/a/([^/]+)/(.+)/x", "/a/<1->/ (<1->) - | ..."),
            ("/[a-z]+[b-d]", "/ | ..."),
            ("/[a-z]+[0-9]*x", "/ | ..."),
            ("/é[a-zé]+é", "/Ã© | ..."),
            ("/a(?:/[^/]+x)?", "/a | ..."),
            // It is not certain where it ends.
            (r"/ab\b/c", "/ab | ..."),
            ("/a/(b+)", "/a/ - | ..."),
            ("/a/(?:bc)+", "/a/ | ..."),
            ("/a/(?:b?){2}", "/a/ | ..."),
            ("/a$b", "/a | ..."),
            ("/a(?:^b|c)", "/a | ..."),
            ("(?m:^)/a", " | ..."),
            // Too many ways, runs or repetitions.
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
