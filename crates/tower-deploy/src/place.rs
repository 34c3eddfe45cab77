//! Positions in files.

use std::{fmt, ops::Range, path::Path, sync::Arc};

use tower_kit::secrets::{fields, is_secret};

/// The name and the text of a file.
pub(crate) struct Source {
    pub(crate) path: Arc<Path>,
    pub(crate) text: String,
    /// Whether it has sections.
    pub(crate) is_ini: bool,
}

/// A position in a file.
///
/// ```
/// use std::path::Path;
///
/// use tower_deploy::{Loader, Registry};
///
/// let loader = Loader::new(Registry::standard()).files(|_| Ok("[app:main]\nuse = this\n".into()));
/// let error = loader.load_app("config:/site.ini").unwrap_err();
/// let place = error.place().unwrap();
/// assert_eq!(place.file(), Path::new("/site.ini"));
/// assert_eq!((place.line(), place.column()), (2, 7));
/// ```
#[derive(Clone)]
pub struct Place {
    pub(crate) source: Arc<Source>,
    /// The bytes of the text.
    pub(crate) span: Range<usize>,
}

impl Place {
    pub(crate) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        Self {
            source: source.clone(),
            span,
        }
    }

    /// Returns the position of words in it. Those with white space or commas around them are
    /// preferred.
    pub(crate) fn find(&self, words: &str) -> Option<Self> {
        let text = self.source.text.get(self.span.clone())?;
        let is_apart = |at: &usize| {
            let (before, after) = (&text[..*at], &text[at + words.len()..]);
            let parts = |c: char| c.is_whitespace() || c == ',';
            !before.ends_with(|c| !parts(c)) && !after.starts_with(|c| !parts(c))
        };
        let mut found = text.match_indices(words).map(|(at, _)| at);
        let at = found.clone().find(is_apart).or_else(|| found.next())?;
        let at = self.span.start + at;
        Some(Self::new(&self.source, at..at + words.len()))
    }

    /// Returns the position of words in it, or all of it if there are no such words.
    pub(crate) fn within(&self, words: &str) -> Self {
        self.find(words).unwrap_or_else(|| self.clone())
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.source.path
    }

    /// Returns the line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        let before = self.before();
        1 + before.matches(LINE_ENDS).count() - before.matches("\r\n").count()
    }

    /// Returns the column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        let before = self.before();
        let line = before.rsplit(LINE_ENDS).next().unwrap_or_default();
        line.chars().count() + 1
    }

    /// Returns the name of the section that it is in.
    pub(crate) fn section(&self) -> Option<&str> {
        if !self.source.is_ini {
            return None;
        }
        let mut lines = self.before().rsplit(LINE_ENDS);
        // In a heading it is its name.
        if lines.next() == Some("[") {
            let rest = &self.source.text[self.span.clone()];
            return Some(rest).filter(|rest| !rest.is_empty());
        }
        lines.find_map(header)
    }

    /// Returns whether the line, or the one before, may have a secret in it.
    pub(crate) fn may_hold_secret(&self) -> bool {
        let rest = &self.source.text[self.span.start..];
        let rest = rest.split(LINE_ENDS).next().unwrap_or_default();
        let mut before = self.before().rsplit(LINE_ENDS);
        let line = before.next().unwrap_or_default().to_owned() + rest;
        let above = before.next().unwrap_or_default();
        let names = |line: &str| {
            let words = line.split(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)));
            words.take(2).any(is_secret)
        };
        names(&line) || names(above) || fields(&line) != line
    }

    fn before(&self) -> &str {
        &self.source.text[..self.span.start]
    }
}

/// Returns the name in a line that begins a section: everything up to the last bracket.
pub(crate) fn header(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?;
    let name = &name[..name.rfind(']')?];
    (!name.is_empty()).then_some(name)
}

/// The ends of lines, as Python reads a text file.
const LINE_ENDS: [char; 2] = ['\n', '\r'];

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}",
            self.file().display(),
            self.line(),
            self.column()
        )
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
