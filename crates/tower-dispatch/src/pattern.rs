//! A pattern, parsed: a regex or a template, and where it is anchored.

use std::{convert::Infallible, error::Error, fmt, sync::Arc};

use regex_syntax::hir::{Capture, Class, Dot, Hir, HirKind, Look, Repetition};

use crate::{
    alternatives::group_count,
    template::{self, SyntaxError},
};

/// A regex or a template for a path.
///
/// The constructor decides where it is anchored. The syntax of regexes is that of the [`regex`]
/// crate. Matching takes time linear in the path's length, so there is neither look-around nor
/// back-reference. Except for `(?m)`, `$` is the very end of the path and never the position before
/// a final newline.
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
    hir: Hir,
}

/// The constructor of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    pub fn regex(regex: &str) -> Result<Self, PatternError> {
        parse(regex).map(|hir| Self::new(regex, Kind::Regex, to_the_end(hir)))
    }

    /// Parses a regex for the start of the path (Python's `re.match`). The rest may be anything.
    ///
    /// # Errors
    ///
    /// Returns a [`PatternError`] if it is not a regex.
    pub fn regex_prefix(regex: &str) -> Result<Self, PatternError> {
        parse(regex).map(|hir| Self::new(regex, Kind::RegexPrefix, hir))
    }

    /// Parses a regex for any part of the path (Python's `re.search`).
    ///
    /// # Errors
    ///
    /// Returns a [`PatternError`] if it is not a regex.
    pub fn regex_search(regex: &str) -> Result<Self, PatternError> {
        parse(regex).map(|hir| Self::new(regex, Kind::RegexSearch, hir))
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
        from_template(template).map(|hir| Self::new(template, Kind::Template, to_the_end(hir)))
    }

    /// Parses a template for the first segments of a path. The last group is the rest of the path:
    /// nothing, or all from the next slash on.
    pub(crate) fn mount(prefix: &str) -> Result<Self, PatternError> {
        let anything = Hir::repetition(Repetition {
            min: 0,
            max: None,
            greedy: true,
            sub: Box::new(Hir::dot(Dot::AnyChar)),
        });
        let rest = |groups, sub| {
            Hir::capture(Capture {
                index: u32::try_from(groups + 1).unwrap_or(u32::MAX),
                name: None,
                sub: Box::new(sub),
            })
        };
        let hir = match prefix.strip_suffix('/') {
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
                let below = Hir::concat(vec![Hir::literal(*b"/"), anything]);
                let below = Hir::repetition(Repetition {
                    min: 0,
                    max: Some(1),
                    greedy: true,
                    sub: Box::new(rest(group_count(&above), below)),
                });
                Hir::concat(vec![above, below])
            }
        };
        Ok(Self::new(prefix, Kind::Mount, to_the_end(hir)))
    }

    fn new(text: &str, kind: Kind, hir: Hir) -> Self {
        Self(Arc::new(Parsed {
            text: text.into(),
            kind,
            hir,
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

    pub(crate) fn hir(&self) -> &Hir {
        &self.0.hir
    }

    /// Returns the names of the groups in their order; `None` for a group without a name.
    pub(crate) fn group_names(&self) -> Box<[Option<Box<str>>]> {
        let mut names = vec![None; group_count(self.hir())];
        collect_names(self.hir(), &mut names);
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
fn to_the_end(hir: Hir) -> Hir {
    Hir::concat(vec![hir, Hir::look(Look::End)])
}

fn collect_names(hir: &Hir, names: &mut [Option<Box<str>>]) {
    match hir.kind() {
        HirKind::Capture(group) => {
            names[group.index as usize - 1] = group.name.clone();
            collect_names(&group.sub, names);
        }
        HirKind::Repetition(repetition) => collect_names(&repetition.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| collect_names(part, names));
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

fn from_template(template: &str) -> Result<Hir, PatternError> {
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
fn within_segments(prefix: &str, above: &Hir) -> Result<(), PatternError> {
    match above.kind() {
        HirKind::Concat(parts) => parts
            .iter()
            .try_for_each(|part| within_segments(prefix, part)),
        HirKind::Capture(parameter) => {
            let is_short = parameter.sub.properties().minimum_len() == Some(0);
            if !is_short && !may_have_slash(&parameter.sub) {
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

fn may_have_slash(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(text) => text.0.contains(&b'/'),
        HirKind::Class(Class::Unicode(class)) => {
            (class.ranges().iter()).any(|range| range.start() <= '/' && '/' <= range.end())
        }
        HirKind::Class(Class::Bytes(class)) => {
            (class.ranges().iter()).any(|range| range.start() <= b'/' && b'/' <= range.end())
        }
        HirKind::Repetition(repetition) => may_have_slash(&repetition.sub),
        HirKind::Capture(group) => may_have_slash(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(may_have_slash),
    }
}

fn parse(regex: &str) -> Result<Hir, PatternError> {
    parse_regex(regex).map_err(|(column, reason)| PatternError::new(regex, column, reason))
}

/// Parses a regex without anchors.
pub(crate) fn parse_regex(regex: &str) -> Result<Hir, SyntaxError> {
    regex_syntax::parse(regex).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => (error.span().start.column, error.kind().to_string()),
        regex_syntax::Error::Translate(error) => {
            (error.span().start.column, error.kind().to_string())
        }
        // The enum may grow. Other errors have no position.
        other => (1, other.to_string()),
    })
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

#[cfg(test)]
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
