//! Reverse routing: from a route's name and parameters to a path that leads there.

use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error,
    fmt::{self, Display},
    sync::OnceLock,
};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{Match, Pattern, Table, expr::Expr, path, pattern::Kind, routes::Rules};

/// The characters that a path must encode (RFC 3986, section 3.3).
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

/// A pattern to be filled in.
#[derive(Debug)]
struct Reverse {
    index: usize,
    pattern: Pattern,
    /// It is compiled when it is needed.
    table: OnceLock<Option<Table>>,
}

impl Named {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            routes: HashMap::new(),
            rules,
        }
    }

    /// Names a route. If the name is taken, it returns the route that has it.
    pub(crate) fn add(&mut self, name: &str, index: usize, pattern: &Pattern) -> Result<(), usize> {
        match self.routes.entry(name.into()) {
            Entry::Occupied(first) => Err(first.get().index),
            Entry::Vacant(entry) => {
                entry.insert(Reverse {
                    index,
                    pattern: pattern.clone(),
                    table: OnceLock::new(),
                });
                Ok(())
            }
        }
    }

    pub(crate) fn url_for(
        &self,
        name: &str,
        args: &[(&str, &dyn Display)],
    ) -> Result<String, UrlForError> {
        let error = |(kind, message)| UrlForError {
            route: name.into(),
            kind,
            message,
        };
        let unknown = || {
            error(mistake(
                UrlForErrorKind::UnknownRoute,
                "no route has this name",
            ))
        };
        let reverse = self.routes.get(name).ok_or_else(unknown)?;
        let values: Vec<_> = args
            .iter()
            .map(|(name, value)| (*name, value.to_string()))
            .collect();
        reverse.fill(&values, self.rules).map_err(error)
    }
}

impl Reverse {
    fn fill(&self, values: Values<'_>, rules: Rules) -> Result<String, Mistake> {
        let pattern = &self.pattern;
        let compile = || Table::new(std::slice::from_ref(pattern)).ok();
        let table = self.table.get_or_init(compile).as_ref();
        let table = table.ok_or_else(|| self.not_fillable())?;
        let names = pattern.group_names();
        let text = pattern.as_str();
        for (index, (name, _)) in values.iter().enumerate() {
            if !names.iter().any(|own| own.as_deref() == Some(*name)) {
                let message = format!("{text:?} has no `{name}`");
                return Err(mistake(UrlForErrorKind::UnknownParameter, message));
            }
            if values[..index].iter().any(|(earlier, _)| earlier == name) {
                let message = format!("duplicate value for `{name}`");
                return Err(mistake(UrlForErrorKind::DuplicateParameter, message));
            }
        }

        // A slash in a value is one in the path if the pattern takes it there.
        let mut url = String::new();
        for set in [PATH, SEGMENT] {
            url.clear();
            if rules.without_leading_slashes {
                url.push('/');
            }
            self.render(pattern.expr(), values, set, &mut url)?;
            if url.is_empty() && self.is_mount() {
                url.push('/');
            }
            if !url.starts_with('/') {
                let message = format!("{url:?} does not begin with a slash");
                return Err(mistake(UrlForErrorKind::InvalidPath, message));
            }
            // A path that begins with two slashes would name a host.
            if url.starts_with("//") {
                url.replace_range(1..2, "%2F");
            }
            if url.split('/').any(|segment| matches!(segment, "." | "..")) {
                let message = format!("{url:?} has a `.` or `..` segment, which clients resolve");
                return Err(mistake(UrlForErrorKind::InvalidPath, message));
            }
            if leads_back(table, &names, values, &url, rules) {
                return Ok(url);
            }
        }
        let message = format!("{url:?} is not read by {text:?} as the same values");
        Err(mistake(UrlForErrorKind::NoMatch, message))
    }

    fn is_mount(&self) -> bool {
        self.pattern.kind() == Kind::Mount
    }

    fn not_fillable(&self) -> Mistake {
        let message = format!(
            "{:?} is more than literals, named groups and an optional end, so it cannot be filled in",
            self.pattern.as_str()
        );
        mistake(UrlForErrorKind::NotFillable, message)
    }

    /// Appends the text of a part of the pattern.
    fn render(
        &self,
        expr: &Expr,
        values: Values<'_>,
        set: &'static AsciiSet,
        url: &mut String,
    ) -> Result<(), Mistake> {
        match expr {
            Expr::Empty | Expr::Start | Expr::End => Ok(()),
            Expr::Literal(text) => {
                url.extend(utf8_percent_encode(text, PATH));
                Ok(())
            }
            Expr::Concat(parts) => {
                (parts.iter()).try_for_each(|part| self.render(part, values, set, url))
            }
            Expr::Repeat(tail) if (tail.min, tail.max) == (0, Some(1)) => {
                if has_value(&tail.sub, values) {
                    self.render(&tail.sub, values, set, url)?;
                }
                Ok(())
            }
            // The rest of a path below a mount.
            Expr::Group(group) if self.is_mount() && group.name.is_none() => Ok(()),
            Expr::Group(group) => {
                let name = group.name.as_deref().ok_or_else(|| self.not_fillable())?;
                let value = values.iter().find(|(own, _)| *own == name);
                let (_, value) = value.ok_or_else(|| {
                    let message = format!("{:?} needs a value for `{name}`", self.pattern.as_str());
                    mistake(UrlForErrorKind::MissingParameter, message)
                })?;
                url.extend(utf8_percent_encode(value, set));
                Ok(())
            }
            _ => Err(self.not_fillable()),
        }
    }
}

/// Returns whether there is a value for a group in this part of a pattern.
fn has_value(expr: &Expr, values: Values<'_>) -> bool {
    match expr {
        Expr::Group(group) => {
            let own = |(name, _): &(&str, String)| group.name.as_deref() == Some(name);
            values.iter().any(own) || has_value(&group.sub, values)
        }
        Expr::Repeat(repeat) => has_value(&repeat.sub, values),
        Expr::Concat(parts) | Expr::Any(parts) => parts.iter().any(|part| has_value(part, values)),
        _ => false,
    }
}

/// Returns whether the pattern finds these values in this path, and no others.
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
        // Only the rest of a mount's path has no name.
        name.as_deref().is_none_or(|name| {
            let value = values.iter().find(|(own, _)| *own == name);
            found == value.map(|(_, value)| value.as_str())
        })
    })
}

/// A kind of error, and its message.
type Mistake = (UrlForErrorKind, String);

fn mistake(kind: UrlForErrorKind, message: impl Into<String>) -> Mistake {
    (kind, message.into())
}

/// An error of [`Dispatch::url_for`](crate::Dispatch::url_for) and of [`UrlArgs::url_for`].
///
/// ```
/// use axum::{body::Body, routing::get};
/// use tower_dispatch::{Dispatch, Endpoint, UrlForErrorKind};
///
/// let urls: Dispatch<Endpoint<Body>> = Dispatch::builder()
///     .get("/users/{id:int}", get(async || "a user"))
///     .name("user")
///     .build()?;
/// let error = urls.url_for("user", &[("id", &"x")]).unwrap_err();
/// assert_eq!((error.kind(), error.route()), (UrlForErrorKind::NoMatch, "user"));
/// # Ok::<(), tower_dispatch::BuildDispatchError>(())
/// ```
///
/// [`UrlArgs::url_for`]: crate::UrlArgs::url_for
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlForError {
    route: Box<str>,
    kind: UrlForErrorKind,
    message: String,
}

/// The kind of a [`UrlForError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlForErrorKind {
    /// No route has this name.
    UnknownRoute,
    /// The pattern has no group of this name.
    UnknownParameter,
    /// A parameter has two values.
    DuplicateParameter,
    /// A parameter has no value, and it is not in an optional end of the pattern.
    MissingParameter,
    /// The pattern is more than literals, named groups and an optional end.
    NotFillable,
    /// With these values the path has no slash at its start, or it has a `.` or `..` segment.
    InvalidPath,
    /// The pattern does not match the path with these values, or it finds others in it.
    NoMatch,
}

impl UrlForError {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> UrlForErrorKind {
        self.kind
    }

    /// Returns the name of the requested route.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }
}

impl fmt::Display for UrlForError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url_for {:?}: {}", self.route, self.message)
    }
}

impl Error for UrlForError {}
