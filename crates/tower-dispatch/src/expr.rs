//! The expression that a pattern stands for: the part of a regex's syntax that the rest of the
//! crate reads.
//!
//! A template is parsed into it, and so is a regex, if the crate has them (feature `regex`). The
//! conversion loses nothing: the few things that only a regex engine knows are kept as they are.

use crate::class::Class;

/// A regular expression over characters.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    #[cfg_attr(
        not(feature = "regex"),
        expect(dead_code, reason = "no template has it")
    )]
    Empty,
    Literal(Box<str>),
    Class(Class),
    Repeat(Repeat),
    Group(Group),
    Concat(Vec<Expr>),
    /// Alternatives in the order of preference.
    Any(Vec<Expr>),
    /// The start of the path.
    #[cfg_attr(
        not(feature = "regex"),
        expect(dead_code, reason = "no template has it")
    )]
    Start,
    /// The very end of the path.
    End,
    /// Something that only a regex engine knows, such as `\b`.
    #[cfg(feature = "regex")]
    Other(regex_syntax::hir::Hir),
}

/// An expression, a number of times.
#[derive(Clone, Debug)]
pub(crate) struct Repeat {
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
    pub(crate) greedy: bool,
    pub(crate) sub: Box<Expr>,
}

/// A group, numbered from 1.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) index: u32,
    pub(crate) name: Option<Box<str>>,
    pub(crate) sub: Box<Expr>,
}

impl Expr {
    /// Returns as many of an expression as there are, but at least some.
    pub(crate) fn at_least(min: u32, sub: Self) -> Self {
        Self::Repeat(Repeat {
            min,
            max: None,
            greedy: true,
            sub: Box::new(sub),
        })
    }

    /// Returns an expression, or nothing.
    pub(crate) fn optional(sub: Self) -> Self {
        Self::Repeat(Repeat {
            min: 0,
            max: Some(1),
            greedy: true,
            sub: Box::new(sub),
        })
    }

    /// Returns an expression a number of times.
    pub(crate) fn times(times: u32, sub: Self) -> Self {
        Self::Repeat(Repeat {
            min: times,
            max: Some(times),
            greedy: true,
            sub: Box::new(sub),
        })
    }

    /// Returns the parts of the outermost sequence.
    pub(crate) fn parts(&self) -> &[Self] {
        match self {
            Self::Concat(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// Returns the number of groups. A group that is repeated zero times keeps its number, but it
    /// is not in the expression any more.
    pub(crate) fn group_count(&self) -> usize {
        match self {
            Self::Group(group) => group.sub.group_count().max(group.index as usize),
            Self::Repeat(repeat) => repeat.sub.group_count(),
            Self::Concat(parts) | Self::Any(parts) => {
                parts.iter().map(Self::group_count).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Returns whether it may match the empty text.
    pub(crate) fn may_be_empty(&self) -> bool {
        match self {
            Self::Empty | Self::Start | Self::End => true,
            Self::Literal(text) => text.is_empty(),
            Self::Class(_) => false,
            Self::Repeat(repeat) => repeat.min == 0 || repeat.sub.may_be_empty(),
            Self::Group(group) => group.sub.may_be_empty(),
            Self::Concat(parts) => parts.iter().all(Self::may_be_empty),
            Self::Any(parts) => parts.iter().any(Self::may_be_empty),
            #[cfg(feature = "regex")]
            Self::Other(hir) => hir.properties().minimum_len() == Some(0),
        }
    }

    /// Returns whether it may match a text with a slash in it.
    pub(crate) fn may_have_slash(&self) -> bool {
        match self {
            Self::Empty | Self::Start | Self::End => false,
            Self::Literal(text) => text.contains('/'),
            Self::Class(class) => class.contains('/'),
            Self::Repeat(repeat) => repeat.sub.may_have_slash(),
            Self::Group(group) => group.sub.may_have_slash(),
            Self::Concat(parts) | Self::Any(parts) => parts.iter().any(Self::may_have_slash),
            #[cfg(feature = "regex")]
            Self::Other(hir) => hir.properties().maximum_len() != Some(0),
        }
    }
}

#[cfg(feature = "regex")]
mod hir {
    use regex_syntax::hir::{self, Capture, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

    use super::{Expr, Group, Repeat};
    use crate::class::Class;

    impl Expr {
        /// Converts a parsed regex.
        pub(crate) fn from_hir(hir: &Hir) -> Self {
            let all = |parts: &[Hir]| parts.iter().map(Self::from_hir).collect();
            let converted = match hir.kind() {
                HirKind::Empty => Some(Self::Empty),
                HirKind::Literal(text) => {
                    let text = std::str::from_utf8(&text.0).ok();
                    text.map(|text| Self::Literal(text.into()))
                }
                HirKind::Class(class) => {
                    let class = match class {
                        hir::Class::Unicode(class) => Some(class.clone()),
                        hir::Class::Bytes(class) => class.to_unicode_class(),
                    };
                    class.map(|class| {
                        let ranges = class.ranges().iter();
                        let ranges = ranges.map(|range| (range.start(), range.end()));
                        Self::Class(Class::new(ranges.collect()))
                    })
                }
                HirKind::Repetition(repetition) => Some(Self::Repeat(Repeat {
                    min: repetition.min,
                    max: repetition.max,
                    greedy: repetition.greedy,
                    sub: Box::new(Self::from_hir(&repetition.sub)),
                })),
                HirKind::Capture(capture) => Some(Self::Group(Group {
                    index: capture.index,
                    name: capture.name.clone(),
                    sub: Box::new(Self::from_hir(&capture.sub)),
                })),
                HirKind::Concat(parts) => Some(Self::Concat(all(parts))),
                HirKind::Alternation(parts) => Some(Self::Any(all(parts))),
                HirKind::Look(Look::Start) => Some(Self::Start),
                HirKind::Look(Look::End) => Some(Self::End),
                HirKind::Look(_) => None,
            };
            converted.unwrap_or_else(|| Self::Other(hir.clone()))
        }

        /// Converts it for a regex engine.
        pub(crate) fn to_hir(&self) -> Hir {
            let all = |parts: &[Self]| parts.iter().map(Self::to_hir).collect();
            match self {
                Self::Empty => Hir::empty(),
                Self::Literal(text) => Hir::literal(text.as_bytes()),
                Self::Class(class) => {
                    let ranges = class.ranges().iter();
                    let ranges = ranges.map(|&(start, end)| ClassUnicodeRange::new(start, end));
                    Hir::class(hir::Class::Unicode(ClassUnicode::new(ranges)))
                }
                Self::Repeat(repeat) => Hir::repetition(hir::Repetition {
                    min: repeat.min,
                    max: repeat.max,
                    greedy: repeat.greedy,
                    sub: Box::new(repeat.sub.to_hir()),
                }),
                Self::Group(group) => Hir::capture(Capture {
                    index: group.index,
                    name: group.name.clone(),
                    sub: Box::new(group.sub.to_hir()),
                }),
                Self::Concat(parts) => Hir::concat(all(parts)),
                Self::Any(parts) => Hir::alternation(all(parts)),
                Self::Start => Hir::look(Look::Start),
                Self::End => Hir::look(Look::End),
                Self::Other(hir) => hir.clone(),
            }
        }
    }
}
