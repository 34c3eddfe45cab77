//! The loader, which puts everything together.

use std::{
    fmt, io,
    path::{self, Path, PathBuf},
};

use crate::{
    App, Error, Filter, Plan, Registry, Server, Settings, Value,
    ini::{Read, from_disk},
    kind::Role,
    parts::Options,
    processes::Processes,
    resolve::Resolver,
    snapshot::Snapshot,
    warnings::Warnings,
};

/// A loader of apps, filters and servers from files.
///
/// ```
/// use tower_deploy::{Loader, Registry};
///
/// let file = "[app:main]\nuse = egg:tower#text\ntext = Hello from %(city)s\n";
/// let loader = Loader::new(Registry::standard())
///     .relative_to("/srv")
///     .global("city", "Rome")
///     .files(move |_| Ok(file.into()));
/// let app = loader.load_app("config:site.ini")?;
/// let plan = loader.plan_app("config:site.ini")?.to_string();
/// assert!(plan.contains("text = Hello from Rome"), "{plan}");
/// # Ok::<_, tower_deploy::Error>(())
/// ```
pub struct Loader {
    registry: Registry,
    relative_to: Option<PathBuf>,
    name: Option<String>,
    global: Settings,
    read: Box<Read<'static>>,
    traced: bool,
    warnings: Option<Warnings>,
    has_watchdog: bool,
}

/// The settings of an app, which [`Loader::app_config`] returns.
///
/// ```
/// use tower_deploy::{Loader, Registry};
///
/// let file = "[DEFAULT]\nroot = /srv\n[app:main]\nuse = egg:tower#text\ntext = Hello\n";
/// let loader = Loader::new(Registry::standard()).files(move |_| Ok(file.into()));
/// let config = loader.app_config("config:/site.ini")?;
/// assert_eq!(config.local.get("text"), Some("Hello"));
/// assert_eq!(config.global.get("root"), Some("/srv"));
/// # Ok::<_, tower_deploy::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// The global settings.
    pub global: Settings,
    /// The settings of the section.
    pub local: Settings,
}

impl Loader {
    /// Returns a loader with these factories.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            relative_to: None,
            name: None,
            global: Settings::default(),
            read: Box::new(from_disk),
            traced: false,
            warnings: None,
            has_watchdog: false,
        }
    }

    /// Sets the directory that relative file names start from. Without it, a URI needs an absolute
    /// path.
    #[must_use]
    pub fn relative_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.relative_to = Some(folder.into());
        self
    }

    /// Sets the name that is loaded. The one after the `#` of a URI is then ignored.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a global value. For factories and `get` it is stronger than the `[DEFAULT]` of a file.
    /// For `%(name)s` the values of the file are stronger.
    #[must_use]
    pub fn global(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.global.set(key.into(), Value::given(value.into()));
        self
    }

    /// Makes every part note its steps in the trace of a request.
    #[cfg(feature = "cli")]
    pub(crate) fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Makes this program, called with `watchdog`, the watchdog of the processes.
    #[cfg(feature = "cli")]
    pub(crate) fn with_watchdog(mut self) -> Self {
        self.has_watchdog = true;
        self
    }

    /// Collects warnings from now on. No process is started.
    #[cfg(feature = "cli")]
    pub(crate) fn checked(mut self) -> Self {
        self.warnings = Some(Warnings::default());
        self
    }

    /// Returns the warnings since it was [`checked`](Self::checked).
    #[cfg(feature = "cli")]
    pub(crate) fn warnings(&self) -> Vec<Error> {
        self.warnings
            .as_ref()
            .map(Warnings::take)
            .unwrap_or_default()
    }

    /// Sets the function that reads files, instead of the disk. It gets absolute paths.
    #[must_use]
    pub fn files(
        mut self,
        read: impl Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.read = Box::new(read);
        self
    }

    /// Builds the app that a URI names: `config:FILE#NAME`, `egg:NAME#ENTRY` or
    /// `call:MODULE:FUNCTION`. In the name of a file, `%`, `#` and spaces at its ends are written
    /// `%25`, `%23` and `%20`.
    ///
    /// An app `process` starts its process, so it is built within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The URI or a file has an error, or a factory fails.
    pub fn load_app(&self, uri: &str) -> Result<App, Error> {
        let files = Snapshot::new(&self.read);
        Ok(self.load_site(uri, &files)?.app)
    }

    /// Builds the filter that a URI names.
    ///
    /// # Errors
    ///
    /// The URI or a file has an error, or a factory fails.
    pub fn load_filter(&self, uri: &str) -> Result<Filter, Error> {
        let files = Snapshot::new(&self.read);
        let plan = self.plan(Role::Filter, uri, &files)?;
        plan.root
            .filter(&self.options(&files, &Processes::default()))
    }

    /// Builds the server that a URI names.
    ///
    /// # Errors
    ///
    /// The URI or a file has an error, or a factory fails.
    pub fn load_server(&self, uri: &str) -> Result<Server, Error> {
        let files = Snapshot::new(&self.read);
        let plan = self.plan(Role::Server, uri, &files)?;
        plan.root
            .server(&self.options(&files, &Processes::default()))
    }

    /// Builds an app, and plans the server of its file. Both see the files as they are at one time.
    pub(crate) fn load_site(&self, uri: &str, files: &Snapshot<'_>) -> Result<Site, Error> {
        let plan = self.plan(Role::App, uri, files)?;
        // First, so that an app knows the files of both.
        let _server = self.plan_server(uri, files);
        let processes = Processes::default();
        Ok(Site {
            app: plan.root.app(&self.options(files, &processes))?,
            #[cfg(any(feature = "cli", feature = "reload"))]
            processes,
            #[cfg(feature = "cli")]
            plan,
            #[cfg(any(feature = "cli", feature = "reload"))]
            server: _server,
        })
    }

    /// Returns the plan of `[server:main]` of the file that an app is in, if there is one.
    fn plan_server(&self, app: &str, files: &Snapshot<'_>) -> Result<Option<Plan>, Error> {
        let (scheme, _) = app.split_once(':').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("config") {
            return Ok(None);
        }
        let file = app.split('#').next().unwrap_or_default();
        match self.plan_named(Role::Server, file, None, files) {
            Err(error) if error.is_of_no_section() => Ok(None),
            plan => plan.map(Some),
        }
    }

    /// Builds the server of a site's file, or the built-in one if there is none.
    #[cfg(feature = "cli")]
    pub(crate) fn build_server(
        &self,
        plan: Result<Option<Plan>, Error>,
        files: &Snapshot<'_>,
    ) -> Result<Server, Error> {
        match plan? {
            Some(plan) => plan
                .root
                .server(&self.options(files, &Processes::default())),
            None => Ok(Server::http(tower_serve::Server::default())),
        }
    }

    #[cfg(any(feature = "cli", feature = "reload"))]
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(&self.read)
    }

    /// Returns the plan of an app without building it.
    ///
    /// # Errors
    ///
    /// The URI or a file has an error. Factories are not called.
    pub fn plan_app(&self, uri: &str) -> Result<Plan, Error> {
        self.plan(Role::App, uri, &Snapshot::new(&self.read))
    }

    /// Returns the plan of an app together with its server's, if its file has one.
    #[cfg(feature = "cli")]
    pub(crate) fn plan_site(&self, uri: &str) -> Result<Plan, Error> {
        let files = Snapshot::new(&self.read);
        let plan = self.plan(Role::App, uri, &files)?;
        let server = self.plan_server(uri, &files)?;
        Ok(Plan {
            server: server.map(|server| server.root),
            ..plan
        })
    }

    /// Returns the settings that an app would get.
    ///
    /// # Errors
    ///
    /// The URI or a file has an error. Factories are not called.
    pub fn app_config(&self, uri: &str) -> Result<AppConfig, Error> {
        let root = self.plan_app(uri)?.root;
        Ok(AppConfig {
            global: root.global,
            local: root.local,
        })
    }

    fn options<'a>(&'a self, files: &'a Snapshot<'a>, processes: &'a Processes) -> Options<'a> {
        let is_checked = self.warnings.is_some();
        Options {
            files,
            traced: self.traced,
            warnings: self.warnings.as_ref(),
            processes: (!is_checked).then_some(processes),
            has_watchdog: self.has_watchdog,
        }
    }

    fn plan(&self, role: Role, uri: &str, files: &Snapshot<'_>) -> Result<Plan, Error> {
        self.plan_named(role, uri, self.name.as_deref(), files)
    }

    fn plan_named(
        &self,
        role: Role,
        uri: &str,
        name: Option<&str>,
        files: &Snapshot<'_>,
    ) -> Result<Plan, Error> {
        self.registry.check()?;
        let read = |path: &Path| files.read(path);
        let mut resolver = Resolver::new(&self.registry, &read);
        // `here` is an absolute path, wherever the program was started.
        let whole = |folder: &PathBuf| path::absolute(folder).unwrap_or_else(|_| folder.clone());
        let folder = self.relative_to.as_ref().map(whole);
        let root = resolver.resolve(role, uri, name, folder.as_deref(), &self.global)?;
        if let Some(warnings) = &self.warnings {
            warnings.planned(resolver.sections());
        }
        Ok(Plan { root, server: None })
    }
}

/// The app and the server of a file, as it was at one time.
pub(crate) struct Site {
    pub(crate) app: App,
    #[cfg(feature = "cli")]
    pub(crate) plan: Plan,
    #[cfg(any(feature = "cli", feature = "reload"))]
    pub(crate) server: Result<Option<Plan>, Error>,
    /// The processes that the app has started.
    #[cfg(any(feature = "cli", feature = "reload"))]
    pub(crate) processes: Processes,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("registry", &self.registry)
            .field("relative_to", &self.relative_to)
            .finish_non_exhaustive()
    }
}
