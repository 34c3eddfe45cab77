//! Lowering: most patterns are texts with runs of characters between them, such as `/users/[^/]+/events`. A path matches such
//! a pattern in one way or not at all, so a tree finds it faster than an automaton, and knows its groups too.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The most runs that a pattern may have to be lowered: a search has room for so many.
pub(crate) const RUNS: usize = 15;

/// One way of a pattern: what a path has to be, from its start to its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    pub(crate) parts: Vec<Part>,
    /// Where the groups are; `None` for one that has no part in this way.
    pub(crate) groups: Vec<Option<(Mark, Mark)>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Vec<u8>),
    Run(Run),
}

/// As many characters of a class as there are. What follows is never one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) set: Set,
    /// Whether there may be none.
    pub(crate) may_be_empty: bool,
}

/// Characters, by the bytes that they are written in: all that are not ASCII, or none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    ascii: u128,
    others: bool,
}

impl Set {
    fn new(class: &Class) -> Option<Self> {
        let Class::Unicode(class) = class else {
            return None;
        };
        let mut ascii = 0;
        let mut others = 0;
        for range in class.iter() {
            let (start, end) = (u32::from(range.start()), u32::from(range.end()));
            ascii |= (start..=end.min(0x7F)).fold(0, |bits, c| bits | 1_u128 << c);
            if end >= 0x80 {
                others += end + 1 - start.max(0x80);
                // The surrogates are no characters, and no range needs to leave them out.
                if start < 0xD800 && end > 0xDFFF {
                    others -= 0x800;
                }
            }
        }
        let all = char::MAX as u32 + 1 - 0x80 - 0x800;
        (others == 0 || others == all).then_some(Self {
            ascii,
            others: others > 0,
        })
    }

    pub(crate) fn contains(self, byte: u8) -> bool {
        match byte.is_ascii() {
            true => self.ascii >> byte & 1 == 1,
            false => self.others,
        }
    }
}

/// A place in a path: so many bytes after the end of the run before, or after the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// How many runs are before it.
    pub(crate) runs: u32,
    pub(crate) bytes: u32,
}

/// The ways of a regex that is anchored at the start: one, and one more for each part of it that may be absent at
/// its end. No path has two of them. `None` if it is not of that kind.
pub(crate) fn lower(hir: &Hir) -> Option<Vec<Way>> {
    let mut lowering = Lowering {
        way: Way {
            parts: Vec::new(),
            groups: vec![None; hir.properties().explicit_captures_len()],
        },
        mark: Mark::default(),
        open: Vec::new(),
        anchored: false,
        done: false,
        shorter: Vec::new(),
    };
    lowering.add(hir)?;
    lowering.anchored.then(|| {
        lowering.shorter.push(lowering.way);
        lowering.shorter
    })
}

struct Lowering {
    way: Way,
    mark: Mark,
    /// The groups that are open, and where they began.
    open: Vec<(usize, Mark)>,
    /// Whether the end of the path must be here.
    anchored: bool,
    /// Whether nothing may follow.
    done: bool,
    /// The ways that end before what may be absent.
    shorter: Vec<Way>,
}

impl Lowering {
    /// `None` if it cannot be lowered.
    fn add(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => Some(()),
            HirKind::Literal(literal) => self.text(&literal.0),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.add(part)),
            HirKind::Capture(group) => {
                let (index, start) = (group.index as usize - 1, self.mark);
                self.open.push((index, start));
                self.add(&group.sub)?;
                self.open.pop();
                self.way.groups[index] = Some((start, self.mark));
                Some(())
            }
            HirKind::Look(Look::Start) => self.way.parts.is_empty().then_some(()),
            HirKind::Look(Look::End) => {
                self.anchored = true;
                self.done = true;
                Some(())
            }
            HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
                (min @ 0..=1, None) => match repetition.sub.kind() {
                    HirKind::Class(class) => self.run(Run {
                        set: Set::new(class)?,
                        may_be_empty: min == 0,
                    }),
                    _ => None,
                },
                (0, Some(1)) => self.tail(&repetition.sub),
                _ => None,
            },
            HirKind::Class(_) | HirKind::Look(_) | HirKind::Alternation(_) => None,
        }
    }

    fn text(&mut self, text: &[u8]) -> Option<()> {
        let blurred = match self.way.parts.last() {
            Some(Part::Run(run)) => run.set.contains(text[0]),
            _ => false,
        };
        if blurred || self.done {
            return None;
        }
        self.mark.bytes += u32::try_from(text.len()).ok()?;
        self.way.parts.push(Part::Text(text.to_vec()));
        Some(())
    }

    fn run(&mut self, run: Run) -> Option<()> {
        let blurred = matches!(self.way.parts.last(), Some(Part::Run(_)));
        if blurred || self.done || self.mark.runs as usize == RUNS {
            return None;
        }
        self.mark = Mark {
            runs: self.mark.runs + 1,
            bytes: 0,
        };
        self.way.parts.push(Part::Run(run));
        Some(())
    }

    /// What may be absent, and which nothing but the end follows.
    fn tail(&mut self, tail: &Hir) -> Option<()> {
        // One that matches nothing would be another way for the same paths.
        if self.done || tail.properties().minimum_len() == Some(0) {
            return None;
        }
        let mut shorter = self.way.clone();
        for &(index, start) in &self.open {
            shorter.groups[index] = Some((start, self.mark));
        }
        self.shorter.push(shorter);
        self.add(tail)?;
        // Which has to be so without the tail, too.
        self.anchored = false;
        self.done = true;
        Some(())
    }
}
