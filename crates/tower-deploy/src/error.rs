//! Errors in a file, with their positions.

use std::{error, fmt};

use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Renderer, Snippet};

use tower_kit::secrets::is_secret;

use crate::Place;

/// Any error, for errors of user code.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// An error in a file, or in a part that it asks for.
///
/// `Display` is one line with the position, the section, the key, the error and the correction.
/// [`report`](Self::report) shows the line of the file with a mark under the error.
///
/// ```
/// use tower_deploy::{ErrorKind, Loader, Registry};
///
/// let file = "[app:main]\nuse = egg:tower#text\ntxet = Hello\n";
/// let loader = Loader::new(Registry::standard()).files(move |_| Ok(file.into()));
/// let error = loader.load_app("config:/site.ini").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Settings);
/// assert_eq!(
///     error.to_string(),
///     "/site.ini:3:1: [app:main] txet: the key is not known (did you mean `text`?)"
/// );
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    place: Option<Place>,
    /// The heading that was probably meant.
    near: Option<Place>,
    is_asked_from_outside: bool,
    section: Option<String>,
    key: Option<String>,
    /// The part of the setting's value that is wrong.
    word: Option<String>,
    source: Option<BoxError>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A URI without `config:`, `egg:` or `call:`.
    UriWithoutScheme,
    /// A URI with another scheme.
    UnknownScheme,
    /// A relative file name without a directory that it starts from.
    RelativeWithoutBase,
    /// The file cannot be opened.
    FileNotFound,
    /// A directory, not a file.
    IsADirectory,
    /// The file cannot be read.
    Unreadable,
    /// The file is larger than [`LARGEST_FILE`](crate::LARGEST_FILE).
    FileTooLarge,
    /// The file is not UTF-8.
    NotUtf8,
    /// A setting before the first section.
    MissingSectionHeader,
    /// A line that is neither a section nor a setting.
    Syntax,
    /// A duplicate section.
    DuplicateSection,
    /// A duplicate key in a section.
    DuplicateKey,
    /// No section has this name and type.
    MissingSection,
    /// Several sections have this name and a type that fits.
    AmbiguousSection,
    /// A section without `use` and without a factory.
    NoFactory,
    /// A section with several factories.
    SeveralFactories,
    /// A pipeline without `pipeline`.
    NoPipeline,
    /// A pipeline with nothing in it.
    EmptyPipeline,
    /// A pipeline with settings, which no part would get.
    PipelineSettings,
    /// A filter-app without `next`.
    NoNext,
    /// `%(name)s` of a missing key.
    InterpolationUnknown,
    /// A `%` that is followed by neither `%` nor `(name)s`.
    InterpolationSyntax,
    /// Keys that refer to one another more than ten deep, or a value that grows too large.
    InterpolationDepth,
    /// `get x = y` where `y` is not global.
    UnknownGlobal,
    /// A section that leads back to itself, or sections that are nested too deep.
    Circular,
    /// More parts, or larger values, than a plan may have.
    TooLarge,
    /// No factory is registered under `egg:NAME`.
    UnknownDistribution,
    /// `egg:NAME` has nothing of this name and type.
    UnknownEntryPoint,
    /// `egg:NAME` has several of this name whose types fit.
    AmbiguousEntryPoint,
    /// `call:` without `module:function`.
    CallWithoutColon,
    /// No factory is registered in this module.
    UnknownModule,
    /// The module is known, and has no such function.
    UnknownFunction,
    /// A factory of another type than the section.
    WrongFactory,
    /// A key that the factory does not know, one that it needs, or a value of the wrong type.
    Settings,
    /// A router's JSON file that is not JSON, or does not describe a router.
    Json,
    /// The factory failed.
    Factory,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message: message.into(),
                help: None,
                place: None,
                near: None,
                is_asked_from_outside: false,
                section: None,
                key: None,
                word: None,
                source: None,
            }),
        }
    }

    /// Returns the error of user code. An error of a part in it is not wrapped.
    pub(crate) fn of_factory(message: &str, error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::new(ErrorKind::Factory, message).caused_by(error),
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.inner.help = Some(help.into());
        self
    }

    /// Returns whether a section is missing that no file names.
    pub(crate) fn is_of_no_section(&self) -> bool {
        self.inner.kind == ErrorKind::MissingSection && self.inner.is_asked_from_outside
    }

    /// Sets the heading that was probably meant.
    pub(crate) fn near(mut self, heading: Option<&Place>) -> Self {
        self.inner.near = heading.cloned();
        self
    }

    /// Notes that the name comes from outside of the file, unless the error has a position. Its
    /// position is then the heading that was probably meant, or the start of the file.
    pub(crate) fn asked_from_outside(mut self, start: Option<&Place>) -> Self {
        let inner = &mut self.inner;
        if inner.place.is_none() {
            inner.is_asked_from_outside = true;
            inner.place = inner.near.take().or_else(|| start.cloned());
        }
        self
    }

    /// Returns the error for a setting. Its position is found when the section is known.
    pub(crate) fn setting(key: &str, message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Settings, message.to_string()).key(key)
    }

    /// Sets the position, unless there is one.
    pub(crate) fn at(mut self, place: Option<&Place>) -> Self {
        self.inner.place = self.inner.place.or_else(|| place.cloned());
        self
    }

    /// Sets the section, unless there is one, or a position, which has its own section.
    pub(crate) fn section(mut self, section: &str) -> Self {
        if self.inner.place.is_some() {
            return self;
        }
        self.inner.section.get_or_insert_with(|| section.to_owned());
        self
    }

    /// Sets the key, unless there is one.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.inner.key.get_or_insert_with(|| key.to_owned());
        self
    }

    /// Sets the part of the setting's value that is wrong, for the position.
    pub(crate) fn word(mut self, word: &str) -> Self {
        self.inner.word = Some(word.to_owned());
        self
    }

    pub(crate) fn caused_by(mut self, source: BoxError) -> Self {
        self.inner.source = Some(source);
        self
    }

    /// Returns the message without the position and the help.
    fn title(&self) -> String {
        let inner = &self.inner;
        let mut title = String::new();
        if let Some(section) = self.section_name() {
            title += &format!("[{section}] ");
        }
        if let Some(key) = &inner.key {
            title += &format!("{key}: ");
        }
        title += &inner.message;
        if let Some(source) = &inner.source {
            title += &format!(": {source}");
        }
        title
    }

    /// Returns a report for a person: the line of the file with a mark under the error. A `styled`
    /// report has colours for a terminal.
    #[must_use]
    pub fn report(&self, styled: bool) -> String {
        self.report_as(&Level::ERROR, styled)
    }

    /// Returns the message of a warning, in the same form.
    #[cfg(feature = "cli")]
    pub(crate) fn warning(&self, styled: bool) -> String {
        self.report_as(&Level::WARNING, styled)
    }

    fn report_as(&self, level: &Level<'_>, styled: bool) -> String {
        let title = self.title();
        let is_secret = self.inner.key.as_deref().is_some_and(is_secret)
            || self
                .inner
                .place
                .as_ref()
                .is_some_and(Place::may_hold_secret);
        let mut group = level
            .clone()
            .primary_title(title.as_str())
            .elements([] as [Snippet<'_, Annotation<'_>>; 0]);
        let path;
        if let Some(place) = &self.inner.place {
            path = place.file().display().to_string();
            if is_secret {
                // The line has the value in it.
                group = group.element(Origin::path(path.as_str()).line(place.line()));
            } else {
                let mark = AnnotationKind::Primary.span(place.span.clone());
                let snippet = Snippet::source(place.source.text.as_str()).path(path.as_str());
                group = group.element(snippet.annotation(mark));
            }
        }
        if let Some(help) = &self.inner.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&[group]) + "\n"
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the position, if the error is in a file.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.inner.place.as_ref()
    }

    /// Returns the name of the section that the error is in or about.
    #[must_use]
    pub fn section_name(&self) -> Option<&str> {
        let section = self.inner.section.as_deref();
        section.or_else(|| self.inner.place.as_ref()?.section())
    }

    /// Returns the key that the error is about.
    #[must_use]
    pub fn key_name(&self) -> Option<&str> {
        self.inner.key.as_deref()
    }

    /// Returns the part of the setting's value that is wrong.
    pub(crate) fn wrong_word(&self) -> Option<&str> {
        self.inner.word.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        if let Some(place) = &inner.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.title())?;
        if let Some(help) = &inner.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Writes the same as `Display`, since `main` shows the errors that it returns in this form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}
