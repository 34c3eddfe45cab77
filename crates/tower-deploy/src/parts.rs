//! The parts that a factory gets from its settings.

use std::fmt;

use tower_hooks::BoxHook;

use crate::{App, Error, ErrorKind, processes::Processes, snapshot::Snapshot, warnings::Warnings};

/// The parts that a factory's settings name. Each is built when the factory asks for it.
///
/// [`Registry::composite`](crate::Registry::composite) has an example.
pub struct Parts<'a> {
    parts: Vec<&'a dyn Unbuilt>,
    options: &'a Options<'a>,
}

/// A part that a setting names.
pub(crate) trait Unbuilt: Sync {
    /// Returns the key of the part.
    fn label(&self) -> &str;
    fn is_hook(&self) -> bool;
    fn app(&self, options: &Options<'_>) -> Result<App, Error>;
    fn hook(&self, options: &Options<'_>) -> Result<BoxHook, Error>;
}

/// The options for building parts.
pub(crate) struct Options<'a> {
    /// The files that describe the parts.
    pub(crate) files: &'a Snapshot<'a>,
    /// Whether each part notes its steps in the [`Trace`](crate::trace::Trace) of a request.
    pub(crate) traced: bool,
    /// The warnings, if they are collected.
    pub(crate) warnings: Option<&'a Warnings>,
    /// The processes that apps start, unless the parts are only checked.
    #[cfg_attr(
        not(all(feature = "process", unix)),
        expect(dead_code, reason = "no app starts one")
    )]
    pub(crate) processes: Option<&'a Processes>,
    /// Whether this program has the subcommand `watchdog`.
    #[cfg_attr(
        not(all(feature = "process", unix)),
        expect(dead_code, reason = "there is no such subcommand")
    )]
    pub(crate) has_watchdog: bool,
}

impl<'a> Parts<'a> {
    pub(crate) fn new<P: Unbuilt>(parts: &'a [P], options: &'a Options<'a>) -> Self {
        Self {
            parts: parts.iter().map(|part| part as &dyn Unbuilt).collect(),
            options,
        }
    }
}

impl Parts<'_> {
    /// Returns the keys that name an app, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.label())
    }

    /// Builds the app that a key names.
    ///
    /// # Errors
    ///
    /// The app cannot be built, or the key names no app.
    pub fn app(&self, key: &str) -> Result<App, Error> {
        match self.parts.iter().find(|part| part.label() == key) {
            Some(part) => part.app(self.options),
            None => Err(Error::new(
                ErrorKind::Factory,
                "the factory asks for an app under a key that names no app",
            )
            .key(key)),
        }
    }

    /// Looks for warnings, if they are collected.
    pub(crate) fn warn(&self, find: impl FnOnce() -> Vec<Error>) {
        if let Some(warnings) = self.options.warnings {
            warnings.add(find());
        }
    }

    /// Returns the options for building the parts.
    #[cfg(all(feature = "process", unix))]
    pub(crate) fn options(&self) -> &Options<'_> {
        self.options
    }

    /// Returns the files that describe the parts.
    pub(crate) fn files(&self) -> &Snapshot<'_> {
        self.options.files
    }

    /// Builds the parts that are apps, in order.
    pub(crate) fn apps(&self) -> impl Iterator<Item = Result<App, Error>> {
        let apps = self.parts.iter().filter(|part| !part.is_hook());
        apps.map(|part| part.app(self.options))
    }

    /// Builds the parts that are hooks, in order.
    pub(crate) fn hooks(&self) -> impl Iterator<Item = Result<BoxHook, Error>> {
        let hooks = self.parts.iter().filter(|part| part.is_hook());
        hooks.map(|part| part.hook(self.options))
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}
