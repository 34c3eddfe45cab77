//! A pattern, parsed: a regex or a template, and where it is anchored.

use std::{convert::Infallible, error::Error, fmt, sync::Arc};

#[cfg(feature = "regex")]
use crate::syntax;
use crate::{
    class::Class,
    expr::{Expr, Group},
    template,
};

/// A regex or a template for a path.
///
/// The constructor decides where it is anchored. The syntax of regexes is that of the [`regex`]
/// crate. Matching takes time linear in the path's length, so there is neither look-around nor
/// back-reference. Except for `(?m)`, `$` is the very end of the path and never the position before
/// a final newline.
///
/// Regexes need the crate's feature `regex`, which is on by default. `\w`, `\d`, `\s`, `\b`,
/// `\p{…}` and `(?i)` need tables of Unicode, which take 0.66 MB of a program: the feature
/// `unicode`. Without it write `[0-9]`, or `(?-u:\d)` and `(?i-u:…)`, which mean ASCII.
///
/// A clone is a reference count, which shares the parsed pattern.
///
/// ```
/// use tower_dispatch::Pattern;
///
/// let template = Pattern::template("/users/{id:int}")?;
/// let regex = Pattern::regex("/users/([0-9]+)")?;
/// assert_eq!(template.as_str(), "/users/{id:int}");
/// # Ok::<(), tower_dispatch::PatternError>(())
/// ```
///
/// [`regex`]: https://docs.rs/regex/latest/regex/#syntax
#[derive(Clone)]
pub struct Pattern(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: Box<str>,
    kind: Kind,
    expr: Expr,
}

/// The constructor of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(feature = "regex"),
    expect(dead_code, reason = "there are no regexes")
)]
pub(crate) enum Kind {
    Regex,
    RegexPrefix,
    RegexSearch,
    Template,
    Mount,
}

impl Pattern {
    /// Parses a regex for the whole path (Python's `re.fullmatch`).
    ///
    /// The name of a constructor is that of the part of a path that has to match. `$` is the very
    /// end of the path, and never the position before a line feed.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use http::{Request, Response, StatusCode};
    /// use tower::{ServiceExt, service_fn};
    /// use tower_dispatch::{Dispatch, Pattern, PatternError};
    ///
    /// async fn app(_: Request<()>) -> Result<Response<String>, Infallible> {
    ///     Ok(Response::default())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// type Constructor = fn(&str) -> Result<Pattern, PatternError>;
    /// let table: [(Constructor, &[&str]); 3] = [
    ///     (Pattern::regex, &["/hello"]),
    ///     (Pattern::regex_prefix, &["/hello", "/hello/you"]),
    ///     (Pattern::regex_search, &["/hello", "/hello/you", "/say/hello"]),
    /// ];
    /// for (constructor, paths) in table {
    ///     let urls = Dispatch::builder().route(constructor("/hello")?, service_fn(app)).build()?;
    ///     for path in ["/hello", "/hello/you", "/say/hello"] {
    ///         let response = urls.clone().oneshot(Request::get(path).body(())?).await?;
    ///         assert_eq!(response.status() == StatusCode::OK, paths.contains(&path));
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`PatternError`] if it is not a regex.
    #[cfg(feature = "regex")]
    #[cfg_attr(docsrs, doc(cfg(feature = "regex")))]
    pub fn regex(regex: &str) -> Result<Self, PatternError> {
        parse(regex).map(|expr| Self::new(regex, Kind::Regex, to_the_end(expr)))
    }

    /// Parses a regex for the start of the path (Python's `re.match`). The rest may be anything.
    ///
    /// # Errors
    ///
    /// Returns a [`PatternError`] if it is not a regex.
    #[cfg(feature = "regex")]
    #[cfg_attr(docsrs, doc(cfg(feature = "regex")))]
    pub fn regex_prefix(regex: &str) -> Result<Self, PatternError> {
        parse(regex).map(|expr| Self::new(regex, Kind::RegexPrefix, expr))
    }

    /// Parses a regex for any part of the path (Python's `re.search`).
    ///
    /// # Errors
    ///
    /// Returns a [`PatternError`] if it is not a regex.
    #[cfg(feature = "regex")]
    #[cfg_attr(docsrs, doc(cfg(feature = "regex")))]
    pub fn regex_search(regex: &str) -> Result<Self, PatternError> {
        parse(regex).map(|expr| Self::new(regex, Kind::RegexSearch, expr))
    }

    /// Parses a template for the whole path. All text outside of brackets and braces is literal, as
    /// it is in a decoded path. `{{` and `}}` are braces.
    ///
    /// | parameter | matches |
    /// |---|---|
    /// | `{name}` | one segment or a part of one, not empty |
    /// | `{name:int}` | digits from 0 to 9, without a sign |
    /// | `{name:uuid}` | a UUID with its hyphens, in upper or lower case |
    /// | `{name:path}`, `{*name}` | any text with any number of slashes, not empty |
    /// | `{name:any(a,b)}` | one of these texts |
    /// | `{name:[regex]}` | a regex without groups, except `(?:…)` |
    ///
    /// A segment may have several parameters. The earlier one takes as much as it can. The end of a
    /// template may be optional: `/posts[/{page:int}]`. If it is missing from a path, its
    /// parameters are `None`.
    ///
    /// ```
    /// use tower_dispatch::{Pattern, Table};
    ///
    /// let table = Table::new(&[Pattern::template("/{name}[.{format:any(json,xml)}]")?])?;
    /// assert!(table.find("/users.json").is_some());
    /// assert!(table.find("/users/7").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`PatternError`] if it is not a template. A template begins with a slash. Names
    /// are ASCII, do not begin with a digit, and are not repeated. Literal brackets need a regex.
    /// `%20`, `/:id` and `/*rest` are the syntax of other routers.
    pub fn template(template: &str) -> Result<Self, PatternError> {
        from_template(template).map(|expr| Self::new(template, Kind::Template, to_the_end(expr)))
    }

    /// Parses a template for the first segments of a path. The last group is the rest of the path:
    /// nothing, or all from the next slash on.
    pub(crate) fn mount(prefix: &str) -> Result<Self, PatternError> {
        let anything = Expr::at_least(0, Expr::Class(Class::all()));
        let rest = |groups, sub| {
            Expr::Group(Group {
                index: u32::try_from(groups + 1).unwrap_or(u32::MAX),
                name: None,
                sub: Box::new(sub),
            })
        };
        let expr = match prefix.strip_suffix('/') {
            Some("") => rest(0, anything),
            _ if prefix.ends_with(']') => {
                let reason = "a mount ends where a segment does, and has no optional end";
                return Err(PatternError::new(prefix, prefix.chars().count(), reason));
            }
            above => {
                let above = above.unwrap_or(prefix);
                whole_segments(prefix, above)?;
                let above = from_template(above)?;
                within_segments(prefix, &above)?;
                let below = Expr::Concat(vec![Expr::Literal("/".into()), anything]);
                let below = Expr::optional(rest(above.group_count(), below));
                let mut parts = above.parts().to_vec();
                parts.push(below);
                Expr::Concat(parts)
            }
        };
        Ok(Self::new(prefix, Kind::Mount, to_the_end(expr)))
    }

    fn new(text: &str, kind: Kind, expr: Expr) -> Self {
        Self(Arc::new(Parsed {
            text: text.into(),
            kind,
            expr,
        }))
    }

    /// Returns the text that it was parsed from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn expr(&self) -> &Expr {
        &self.0.expr
    }

    /// Returns the names of the groups in their order; `None` for a group without a name.
    pub(crate) fn group_names(&self) -> Box<[Option<Box<str>>]> {
        let mut names = vec![None; self.expr().group_count()];
        collect_names(self.expr(), &mut names);
        names.into()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern")
            .field("kind", &self.0.kind)
            .field("text", &self.0.text)
            .finish()
    }
}

/// Parses a template, see [`Pattern::template`].
impl TryFrom<&str> for Pattern {
    type Error = PatternError;

    fn try_from(template: &str) -> Result<Self, PatternError> {
        Self::template(template)
    }
}

/// Parses a template, see [`Pattern::template`].
impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(template: String) -> Result<Self, PatternError> {
        Self::template(&template)
    }
}

/// Parses a template, see [`Pattern::template`].
impl TryFrom<&String> for Pattern {
    type Error = PatternError;

    fn try_from(template: &String) -> Result<Self, PatternError> {
        Self::template(template)
    }
}

// DIFFERENCE: link.wsgi's patterns are for the beginning of the path, and those of the article for
// any part of it.
fn to_the_end(expr: Expr) -> Expr {
    match expr {
        Expr::Concat(mut parts) => {
            parts.push(Expr::End);
            Expr::Concat(parts)
        }
        one => Expr::Concat(vec![one, Expr::End]),
    }
}

fn collect_names(expr: &Expr, names: &mut [Option<Box<str>>]) {
    match expr {
        Expr::Group(group) => {
            names[group.index as usize - 1] = group.name.clone();
            collect_names(&group.sub, names);
        }
        Expr::Repeat(repeat) => collect_names(&repeat.sub, names),
        Expr::Concat(parts) | Expr::Any(parts) => {
            parts.iter().for_each(|part| collect_names(part, names));
        }
        _ => {}
    }
}

fn from_template(template: &str) -> Result<Expr, PatternError> {
    template::parse(template)
        .map_err(|(column, reason)| PatternError::new(template, column, reason))
}

/// Checks that no segment of a mount is empty, or one that clients resolve.
fn whole_segments(prefix: &str, above: &str) -> Result<(), PatternError> {
    let mut column = 1;
    for segment in above.split('/').skip(1) {
        column += 1;
        let reason = match segment {
            "" => "a mount has no empty segment",
            "." | ".." => "a mount has no `.` or `..` segment, which clients resolve",
            _ => {
                column += segment.chars().count();
                continue;
            }
        };
        return Err(PatternError::new(prefix, column, reason));
    }
    Ok(())
}

/// Checks that each parameter is within one segment, so that the end of the mount is certain.
fn within_segments(prefix: &str, above: &Expr) -> Result<(), PatternError> {
    match above {
        Expr::Concat(parts) => parts
            .iter()
            .try_for_each(|part| within_segments(prefix, part)),
        Expr::Group(parameter) => {
            if !parameter.sub.may_be_empty() && !parameter.sub.may_have_slash() {
                return Ok(());
            }
            let name = parameter.name.as_deref().unwrap_or_default();
            let at = prefix
                .find(&format!("{{{name}"))
                .or_else(|| prefix.find("{*"));
            let column = prefix[..at.unwrap_or(0)].chars().count() + 1;
            let reason = "a parameter of a mount is one segment or a part of one: it matches no slash and is not empty";
            Err(PatternError::new(prefix, column, reason))
        }
        _ => Ok(()),
    }
}

#[cfg(feature = "regex")]
fn parse(regex: &str) -> Result<Expr, PatternError> {
    match syntax::parse(regex) {
        Ok(hir) => Ok(Expr::from_hir(&hir)),
        Err((column, reason)) => Err(PatternError::new(regex, column, reason)),
    }
}

/// An error of a text that is not a valid [`Pattern`].
///
/// ```
/// use tower_dispatch::Pattern;
///
/// let error = Pattern::template("/users/:id").unwrap_err();
/// assert_eq!(error.column(), 8);
/// assert_eq!(
///     error.to_string(),
///     "pattern \"/users/:id\", column 8: did you mean `{id}`?"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    pattern: Box<str>,
    column: usize,
    reason: String,
}

impl PatternError {
    fn new(pattern: &str, column: usize, reason: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            column,
            reason: reason.into(),
        }
    }

    /// Returns the text that is not a pattern.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Returns the column of the error: characters from the start of its line, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pattern,
            column,
            reason,
        } = self;
        write!(f, "pattern {pattern:?}, column {column}: {reason}")
    }
}

impl Error for PatternError {}

/// Allows that builder methods take a [`Pattern`] as well as a text that they parse.
impl From<Infallible> for PatternError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(all(test, feature = "regex"))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
mod tests {
    use super::*;

    #[test]
    fn dispatch_17_an_invalid_regex_is_an_error_with_a_column() {
        let table = [
            ("/a(b", 3, "pattern \"/a(b\", column 3: unclosed group"),
            (
                "/é[z-a]",
                4,
                "pattern \"/é[z-a]\", column 4: invalid character class range, the start must be <= the end",
            ),
            (
                "/a(?=b)",
                3,
                "pattern \"/a(?=b)\", column 3: look-around, including look-ahead and look-behind, is not supported",
            ),
            (
                r"/(a)\1",
                5,
                "pattern \"/(a)\\\\1\", column 5: backreferences are not supported",
            ),
            (
                "(?P<a>.)(?P<a>.)",
                13,
                "pattern \"(?P<a>.)(?P<a>.)\", column 13: duplicate capture group name",
            ),
            (
                r"/(?-u:\xFF)",
                7,
                "pattern \"/(?-u:\\\\xFF)\", column 7: pattern can match invalid UTF-8",
            ),
        ];
        for (regex, column, text) in table {
            for constructor in [Pattern::regex, Pattern::regex_prefix, Pattern::regex_search] {
                let error = constructor(regex).unwrap_err();
                assert_eq!((error.column(), error.to_string().as_str()), (column, text));
            }
        }
    }
}
