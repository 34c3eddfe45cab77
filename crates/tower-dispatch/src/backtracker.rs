//! A matcher for the suffix of a pattern, if that is made of literals, classes and choices only.
//!
//! # Idea
//!
//! Such a suffix is a tree of steps: a literal, a class with as many characters as there are, or a
//! choice of two continuations. A search goes from step to step. When it can get no further, it
//! returns to the last class or choice that has more to try: fewer characters, or the other
//! continuation. That is the order of a regex engine, so the first match is the engine's. The end
//! of a class is tried only where the next step can match: at the first byte of its literal, or at
//! the end of the path.
//!
//! # Example
//!
//! ```text
//! ([^/]+)\.([^/]+)\z     [^/]+  "."  [^/]+  end
//! ```
//!
//! For `a.b.c` the first class takes all of it. The last `.` before its end is at byte 3, so it
//! takes `a.b`, the second takes `c`, and the path ends. For `abc` there is no `.`, so it fails at
//! once.
//!
//! # Invariants
//!
//! - A step has one predecessor. What follows a choice is written out for both continuations.
//! - So a class begins further left each time that a search enters it, and the ends that it tries
//!   are further left than all that it has tried before. `low` is the last of these. An end to the
//!   right of it has been tried, and what follows failed.
//! - There are no loops, except a class.
//!
//! # Why it ends, and its cost
//!
//! Each class tries each byte of the path as its end at most once, and reads each at most once to
//! find out where its characters end, because it begins to the left of where it began before. So
//! a search takes time in proportion to the length of the path, times the number of steps. It
//! allocates nothing for up to four groups and few choices.
//!
//! Repeated groups and choices are written out, so the steps could be many. A suffix with more
//! than a limit is left to a regex engine, as is one with anything else in it.

use smallvec::{SmallVec, smallvec};

use crate::{
    class::{Class, ClassScan},
    expr::Expr,
    spans::{Span, Spans},
};

/// The most times that a group is written out.
const MAX_TIMES: u32 = 16;

/// The steps of a suffix.
#[derive(Debug)]
pub(crate) struct Backtracker {
    steps: Box<[Step]>,
    start: StepId,
    groups: usize,
    classes: usize,
}

type StepId = u32;

#[derive(Debug)]
enum Step {
    Literal {
        text: Box<str>,
        next: StepId,
    },
    Class(ClassStep),
    /// The start or the end of a group.
    Slot {
        slot: u32,
        next: StepId,
    },
    Choice {
        first: StepId,
        second: StepId,
    },
    Start {
        next: StepId,
    },
    End {
        next: StepId,
    },
    Match,
}

/// As many characters of a class as there are, or fewer, if their number is within bounds.
#[derive(Debug)]
struct ClassStep {
    /// Its class, by its index among those of all suffixes.
    id: usize,
    /// Its index among the classes of this suffix.
    index: usize,
    min: u32,
    max: Option<u32>,
    then: Then,
    next: StepId,
}

/// What can follow a class.
#[derive(Clone, Copy, Debug)]
enum Then {
    Anything,
    Byte(u8),
    End,
}

/// The classes of all suffixes, each once.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    all: Vec<(Class, ClassScan)>,
}

impl Classes {
    fn intern(&mut self, class: &Class) -> usize {
        let found = self.all.iter().position(|(other, _)| other == class);
        found.unwrap_or_else(|| {
            self.all.push((class.clone(), ClassScan::new(class)));
            self.all.len() - 1
        })
    }
}

impl Backtracker {
    /// Makes the steps of a suffix. `None` if it has something else in it, or would have more than
    /// `most` steps.
    pub(crate) fn new(expr: &Expr, most: usize, classes: &mut Classes) -> Option<Self> {
        let mut builder = Builder {
            steps: Vec::new(),
            classes,
            class_count: 0,
            most,
        };
        let todo = Todo {
            item: Item::One(expr),
            rest: None,
        };
        let start = builder.build(Some(&todo))?;
        Some(Self {
            start,
            groups: expr.group_count(),
            classes: builder.class_count,
            steps: builder.steps.into(),
        })
    }

    /// Returns the memory that it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let text = |step: &Step| match step {
            Step::Literal { text, .. } => text.len(),
            _ => 0,
        };
        size_of_val(&self.steps[..]) + self.steps.iter().map(text).sum::<usize>()
    }

    /// Returns the match and its groups, from an offset on.
    pub(crate) fn find(&self, classes: &Classes, path: &str, from: usize) -> Option<(Span, Spans)> {
        let mut search = Search {
            path,
            is_ascii: path.is_ascii(),
            slots: smallvec![u32::MAX; 2 * self.groups],
            tried: smallvec![Tried::NOTHING; self.classes],
            left: SmallVec::new(),
        };
        let (mut step, mut at) = (self.start, from);
        loop {
            let next = match &self.steps[step as usize] {
                Step::Literal { text, next } => {
                    let is_next = path.as_bytes()[at..].starts_with(text.as_bytes());
                    is_next.then(|| (*next, at + text.len()))
                }
                Step::Class(class) => {
                    let ends = search.enter(class, &classes.all[class.id].1, at);
                    search.take(class, step, ends)
                }
                Step::Slot { slot, next } => {
                    search.set(*slot, at as u32);
                    Some((*next, at))
                }
                Step::Choice { first, second } => {
                    search.left.push(Left::Choice {
                        step: *second,
                        at: at as u32,
                    });
                    Some((*first, at))
                }
                Step::Start { next } => (at == 0).then_some((*next, at)),
                Step::End { next } => (at == path.len()).then_some((*next, at)),
                Step::Match => {
                    let slots = search.slots.chunks_exact(2);
                    let groups = slots.map(|slots| Span::new(slots[0], slots[1]));
                    return Some((Span::new(from as u32, at as u32), Spans::new(groups)));
                }
            };
            (step, at) = match next {
                Some(next) => next,
                None => self.back(&mut search)?,
            };
        }
    }

    /// Returns the next step to try, and its offset.
    fn back(&self, search: &mut Search<'_>) -> Option<(StepId, usize)> {
        loop {
            match search.left.pop()? {
                Left::Slot { slot, value } => search.slots[slot as usize] = value,
                Left::Choice { step, at } => return Some((step, at as usize)),
                Left::Ends { step, ends } => {
                    if let Step::Class(class) = &self.steps[step as usize]
                        && let Some(next) = search.take(class, step, ends)
                    {
                        return Some(next);
                    }
                }
            }
        }
    }
}

/// The state of a search. Offsets are those of a path of less than 4 GiB.
struct Search<'a> {
    path: &'a str,
    is_ascii: bool,
    /// The start and the end of each group; `u32::MAX` if it took no part, as in
    /// [`Span::ABSENT`].
    slots: SmallVec<[u32; 8]>,
    /// For each class.
    tried: SmallVec<[Tried; 4]>,
    /// What is left to try, or to restore before that.
    left: SmallVec<[Left; 12]>,
}

/// What a search knows of a class from the last time that it entered it.
#[derive(Clone, Copy)]
struct Tried {
    /// The smallest end that was tried.
    low: u32,
    /// The offset at which it was entered.
    start: u32,
    /// The end of the characters from there that are in the class.
    run: u32,
}

impl Tried {
    const NOTHING: Self = Self {
        low: u32::MAX,
        start: u32::MAX,
        run: 0,
    };
}

/// The ends of a class that are left to try: from the first up to the second, which is excluded.
#[derive(Clone, Copy)]
struct Ends(u32, u32);

enum Left {
    Slot { slot: u32, value: u32 },
    Choice { step: StepId, at: u32 },
    Ends { step: StepId, ends: Ends },
}

impl Search<'_> {
    fn set(&mut self, slot: u32, value: u32) {
        let own = &mut self.slots[slot as usize];
        let value = std::mem::replace(own, value);
        if !self.left.is_empty() {
            self.left.push(Left::Slot { slot, value });
        }
    }

    /// Returns the ends of a class that begins at an offset.
    fn enter(&mut self, class: &ClassStep, scan: &ClassScan, at: usize) -> Ends {
        let text = self.path.as_bytes();
        let tried = &mut self.tried[class.index];
        let start = tried.start as usize;
        let run = if at < start && start < text.len() {
            // The characters from there on are known.
            match scan.scan(&text[..start], at) {
                end if end == start => tried.run as usize,
                end => end,
            }
        } else {
            scan.scan(text, at)
        };
        (tried.start, tried.run) = (at as u32, run as u32);
        // The offset after some characters, if there are so many.
        let after = |characters: u32| match self.is_ascii {
            true => Some(at + characters as usize).filter(|end| *end <= run),
            false => {
                let ends = self.path[at..run].char_indices().map(|(end, _)| at + end);
                ends.chain([run]).nth(characters as usize)
            }
        };
        let Some(least) = after(class.min) else {
            return Ends(0, 0);
        };
        let most = class.max.and_then(after).unwrap_or(run);
        let ends = Ends(least as u32, (most as u32).saturating_add(1).min(tried.low));
        tried.low = tried.low.min(least as u32);
        ends
    }

    /// Returns what follows a class, with the last of some ends at which that may match.
    fn take(&mut self, class: &ClassStep, step: StepId, ends: Ends) -> Option<(StepId, usize)> {
        let (from, before) = (ends.0 as usize, ends.1 as usize);
        if from >= before {
            return None;
        }
        let text = self.path.as_bytes();
        let end = match class.then {
            Then::Byte(byte) => {
                let bytes = &text[from..before.min(text.len())];
                from + bytes.iter().rposition(|other| *other == byte)?
            }
            Then::End if before > text.len() => text.len(),
            Then::End => return None,
            Then::Anything => (from..before).rfind(|end| self.path.is_char_boundary(*end))?,
        };
        if from < end && !matches!(class.then, Then::End) {
            self.left.push(Left::Ends {
                step,
                ends: Ends(from as u32, end as u32),
            });
        }
        Some((class.next, end))
    }
}

/// Writes out the steps of an expression, the last ones first.
struct Builder<'a> {
    steps: Vec<Step>,
    classes: &'a mut Classes,
    class_count: usize,
    most: usize,
}

/// What is left to be written out.
#[derive(Clone, Copy)]
struct Todo<'a> {
    item: Item<'a>,
    rest: Option<&'a Todo<'a>>,
}

#[derive(Clone, Copy)]
enum Item<'a> {
    One(&'a Expr),
    All(&'a [Expr]),
    /// An expression at least, and at most, a number of times, if possible more often or less.
    Times(&'a Expr, u32, u32, bool),
    Slot(u32),
}

impl Builder<'_> {
    /// Returns the first step of all that is left.
    fn build(&mut self, todo: Option<&Todo<'_>>) -> Option<StepId> {
        let Some(&Todo { item, rest }) = todo else {
            return self.push(Step::Match);
        };
        let with = |item| Todo { item, rest };
        match item {
            Item::All([]) => self.build(rest),
            Item::All([first, others @ ..]) => {
                let others = with(Item::All(others));
                let item = Item::One(first);
                let rest = Some(&others);
                self.build(Some(&Todo { item, rest }))
            }
            Item::Times(_, _, 0, _) => self.build(rest),
            Item::Times(one, min, max, greedy) => {
                let others = with(Item::Times(one, min.saturating_sub(1), max - 1, greedy));
                let item = Item::One(one);
                let again = self.build(Some(&Todo {
                    item,
                    rest: Some(&others),
                }))?;
                if min > 0 {
                    return Some(again);
                }
                let done = self.build(rest)?;
                let (first, second) = if greedy { (again, done) } else { (done, again) };
                self.push(Step::Choice { first, second })
            }
            Item::Slot(slot) => {
                let next = self.build(rest)?;
                self.push(Step::Slot { slot, next })
            }
            Item::One(Expr::Empty) => self.build(rest),
            Item::One(Expr::Literal(text)) => {
                let next = self.build(rest)?;
                let text = text.clone();
                self.push(Step::Literal { text, next })
            }
            Item::One(Expr::Class(class)) => self.class(class, 1, Some(1), rest),
            Item::One(Expr::Repeat(repeat)) => match (&*repeat.sub, repeat.max) {
                (_, Some(0)) => self.build(rest),
                (Expr::Class(class), max) if repeat.greedy || max == Some(repeat.min) => {
                    self.class(class, repeat.min, max, rest)
                }
                // An engine repeats an empty match only once.
                (sub, Some(max)) if max == 1 || max <= MAX_TIMES && !sub.may_be_empty() => {
                    let times = Item::Times(sub, repeat.min, max, repeat.greedy);
                    self.build(Some(&with(times)))
                }
                _ => None,
            },
            Item::One(Expr::Group(group)) => {
                let slot = 2 * (group.index - 1);
                let end = with(Item::Slot(slot + 1));
                let item = Item::One(&group.sub);
                let rest = Some(&end);
                let next = self.build(Some(&Todo { item, rest }))?;
                self.push(Step::Slot { slot, next })
            }
            Item::One(Expr::Concat(parts)) => self.build(Some(&with(Item::All(parts)))),
            Item::One(Expr::Any(parts)) => {
                let mut parts = parts.iter().rev();
                let mut one = |part| self.build(Some(&with(Item::One(part))));
                let mut choice = one(parts.next()?)?;
                for part in parts {
                    let first = self.build(Some(&with(Item::One(part))))?;
                    let second = choice;
                    choice = self.push(Step::Choice { first, second })?;
                }
                Some(choice)
            }
            Item::One(Expr::Start) => {
                let next = self.build(rest)?;
                self.push(Step::Start { next })
            }
            Item::One(Expr::End) => {
                let next = self.build(rest)?;
                self.push(Step::End { next })
            }
            #[cfg(feature = "regex")]
            Item::One(Expr::Other(_)) => None,
        }
    }

    fn class(
        &mut self,
        class: &Class,
        min: u32,
        max: Option<u32>,
        rest: Option<&Todo<'_>>,
    ) -> Option<StepId> {
        let next = self.build(rest)?;
        let index = self.class_count;
        self.class_count += 1;
        let class = ClassStep {
            id: self.classes.intern(class),
            index,
            min,
            max,
            then: self.then(next),
            next,
        };
        self.push(Step::Class(class))
    }

    /// Returns what a step can begin with.
    fn then(&self, mut step: StepId) -> Then {
        loop {
            return match &self.steps[step as usize] {
                Step::Slot { next, .. } => {
                    step = *next;
                    continue;
                }
                Step::Literal { text, .. } => match text.as_bytes().first() {
                    Some(byte) => Then::Byte(*byte),
                    None => Then::Anything,
                },
                Step::End { .. } => Then::End,
                _ => Then::Anything,
            };
        }
    }

    fn push(&mut self, step: Step) -> Option<StepId> {
        if self.steps.len() == self.most {
            return None;
        }
        let id = u32::try_from(self.steps.len()).ok()?;
        self.steps.push(step);
        Some(id)
    }
}
