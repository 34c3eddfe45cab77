//! The way back: from a route's name and args to a path that leads there.

use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error,
    fmt::{self, Display},
    sync::OnceLock,
};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::{Match, Pattern, Table, path, pattern::Kind, routes::Rules};

/// What cannot stand for itself in a path (RFC 3986, section 3.3).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The same for one segment.
const SEGMENT: &AsciiSet = &PATH.add(b'/');

/// Names and values.
type Values<'a> = &'a [(&'a str, String)];

/// The routes of a dispatcher that have names.
#[derive(Debug)]
pub(crate) struct Named {
    routes: HashMap<Box<str>, Reverse>,
    pub(crate) rules: Rules,
}

/// A pattern to be filled in. It is compiled when it is needed.
#[derive(Debug)]
struct Reverse {
    index: usize,
    text: Box<str>,
    kind: Kind,
    compiled: OnceLock<Option<(Pattern, Table)>>,
}

impl Named {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            routes: HashMap::new(),
            rules,
        }
    }

    /// Names a route; if the name is taken, says by which.
    pub(crate) fn add(&mut self, name: &str, index: usize, pattern: &Pattern) -> Result<(), usize> {
        match self.routes.entry(name.into()) {
            Entry::Occupied(first) => Err(first.get().index),
            Entry::Vacant(place) => {
                place.insert(Reverse {
                    index,
                    text: pattern.as_str().into(),
                    kind: pattern.kind(),
                    compiled: OnceLock::new(),
                });
                Ok(())
            }
        }
    }

    pub(crate) fn url_for(
        &self,
        name: &str,
        args: &[(&str, &dyn Display)],
    ) -> Result<String, UrlError> {
        let error = |kind| UrlError {
            route: name.into(),
            kind,
        };
        let reverse = self.routes.get(name).ok_or(error(ErrorKind::NoRoute))?;
        let values: Vec<_> = args
            .iter()
            .map(|(name, value)| (*name, value.to_string()))
            .collect();
        reverse.fill(&values, self.rules).map_err(error)
    }
}

impl Reverse {
    fn fill(&self, values: Values<'_>, rules: Rules) -> Result<String, ErrorKind> {
        let compile = || {
            let pattern = Pattern::again(&self.text, self.kind).ok()?;
            let table = Table::new(std::slice::from_ref(&pattern)).ok()?;
            Some((pattern, table))
        };
        let compiled = self.compiled.get_or_init(compile).as_ref();
        let (pattern, table) = compiled.ok_or(ErrorKind::NotFillable(self.text.clone()))?;
        let names = pattern.group_names();
        let unknown =
            |(name, _): &&(&str, String)| !names.iter().any(|own| own.as_deref() == Some(*name));
        if let Some((name, _)) = values.iter().find(unknown) {
            return Err(ErrorKind::UnknownArg((*name).into(), self.text.clone()));
        }

        for (index, (name, _)) in values.iter().enumerate() {
            if values[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(ErrorKind::GivenTwice((*name).into()));
            }
        }

        // A slash in a value is one in the path if the pattern takes it there.
        let mut url = String::new();
        for set in [PATH, SEGMENT] {
            url.clear();
            if rules.without_leading_slashes {
                url.push('/');
            }
            self.render(pattern.hir(), values, set, &mut url)?;
            if url.is_empty() && self.kind == Kind::Mount {
                url.push('/');
            }
            if !url.starts_with('/') {
                return Err(ErrorKind::NoSlash(url));
            }
            // Which would be the beginning of a host.
            if url.starts_with("//") {
                url.replace_range(1..2, "%2F");
            }
            if url.split('/').any(|segment| matches!(segment, "." | "..")) {
                return Err(ErrorKind::DotSegment(url));
            }
            if leads_back(table, &names, values, &url, rules) {
                return Ok(url);
            }
        }
        Err(ErrorKind::NoMatch(url, self.text.clone()))
    }

    /// Adds the text that a part of the pattern stands for.
    fn render(
        &self,
        hir: &Hir,
        values: Values<'_>,
        set: &'static AsciiSet,
        url: &mut String,
    ) -> Result<(), ErrorKind> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(Look::Start | Look::End) => Ok(()),
            HirKind::Literal(text) => {
                let text = String::from_utf8_lossy(&text.0);
                url.extend(utf8_percent_encode(&text, PATH));
                Ok(())
            }
            HirKind::Concat(parts) => {
                (parts.iter()).try_for_each(|part| self.render(part, values, set, url))
            }
            HirKind::Repetition(tail) if (tail.min, tail.max) == (0, Some(1)) => {
                if has_value(&tail.sub, values) {
                    self.render(&tail.sub, values, set, url)?;
                }
                Ok(())
            }
            // What is left of a path below a mount.
            HirKind::Capture(group) if self.kind == Kind::Mount && group.name.is_none() => Ok(()),
            HirKind::Capture(group) => {
                let not_fillable = || ErrorKind::NotFillable(self.text.clone());
                let name = group.name.as_deref().ok_or_else(not_fillable)?;
                let value = values.iter().find(|(own, _)| *own == name);
                let (_, value) =
                    value.ok_or_else(|| ErrorKind::MissingArg(name.into(), self.text.clone()))?;
                url.extend(utf8_percent_encode(value, set));
                Ok(())
            }
            _ => Err(ErrorKind::NotFillable(self.text.clone())),
        }
    }
}

/// Whether there is a value for a group in this part of a pattern.
fn has_value(hir: &Hir, values: Values<'_>) -> bool {
    match hir.kind() {
        HirKind::Capture(group) => {
            let own = |(name, _): &(&str, String)| group.name.as_deref() == Some(name);
            values.iter().any(own) || has_value(&group.sub, values)
        }
        HirKind::Repetition(repetition) => has_value(&repetition.sub, values),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| has_value(part, values))
        }
        _ => false,
    }
}

/// Whether the pattern finds these values in this path, and no others.
fn leads_back(
    table: &Table,
    names: &[Option<Box<str>>],
    values: Values<'_>,
    url: &str,
    rules: Rules,
) -> bool {
    let mut skipped = 0;
    let found = path::decode_text(url, |path| {
        let stripped = match rules.without_leading_slashes {
            true => path.trim_start_matches('/'),
            false => path,
        };
        skipped = path.len() - stripped.len();
        table.find(stripped)
    });
    let Ok(Some((found, path))) = found else {
        return false;
    };
    let found: Match = found;
    names.iter().zip(found.spans()).all(|(name, span)| {
        let found = span.map(|span| &path.as_str()[skipped + span.start..skipped + span.end]);
        // Only a mount's rest has no name.
        name.as_deref().is_none_or(|name| {
            let value = values.iter().find(|(own, _)| *own == name);
            found == value.map(|(_, value)| value.as_str())
        })
    })
}

/// Why there is no path for a route and args.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    route: Box<str>,
    kind: ErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ErrorKind {
    NoRoute,
    MissingArg(Box<str>, Box<str>),
    UnknownArg(Box<str>, Box<str>),
    GivenTwice(Box<str>),
    NotFillable(Box<str>),
    NoSlash(String),
    DotSegment(String),
    NoMatch(String, Box<str>),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url_for {:?}: ", self.route)?;
        match &self.kind {
            ErrorKind::NoRoute => f.write_str("no route has this name"),
            ErrorKind::MissingArg(arg, pattern) => {
                write!(f, "{pattern:?} needs a value for `{arg}`")
            }
            ErrorKind::UnknownArg(arg, pattern) => write!(f, "{pattern:?} has no `{arg}`"),
            ErrorKind::GivenTwice(arg) => write!(f, "`{arg}` is given twice"),
            ErrorKind::NoSlash(url) => write!(f, "{url:?} does not begin with a slash"),
            ErrorKind::NotFillable(pattern) => write!(
                f,
                "{pattern:?} is more than texts, named groups and an optional end, so it cannot be filled in"
            ),
            ErrorKind::DotSegment(url) => {
                write!(
                    f,
                    "{url:?} has a `.` or `..` segment, which clients resolve"
                )
            }
            ErrorKind::NoMatch(url, pattern) => {
                write!(f, "{url:?} is not read by {pattern:?} as the same values")
            }
        }
    }
}

impl Error for UrlError {}
