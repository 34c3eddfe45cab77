use std::{
    cell::RefCell,
    fmt, io,
    path::{self, Path, PathBuf},
    rc::Rc,
    sync::{Mutex, PoisonError},
};

#[cfg(feature = "cli")]
use crate::{Address, Document, HttpServer, ini::text};
use crate::{
    App, Error, Filter, Plan, Registry, Server, Settings, Value,
    build::Options,
    context::Resolver,
    ini::{Read, from_disk},
    role::Role,
};

/// Where a site is served whose file does not say it.
#[cfg(feature = "cli")]
const DEFAULT: &str = "127.0.0.1:8080";

/// Loads apps, filters and servers from files.
pub struct Loader {
    registry: Registry,
    relative_to: Option<PathBuf>,
    name: Option<String>,
    global: Settings,
    read: Box<Read<'static>>,
    traced: bool,
}

/// The settings of an app, see [`Loader::app_config`].
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// What is global.
    pub global: Settings,
    /// The section's own.
    pub local: Settings,
}

impl Loader {
    /// A loader that knows these factories.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            relative_to: None,
            name: None,
            global: Settings::default(),
            read: Box::new(from_disk),
            traced: false,
        }
    }

    /// What relative file names are relative to. Without it a URI has to have a whole path.
    #[must_use]
    pub fn relative_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.relative_to = Some(folder.into());
        self
    }

    /// The name that is loaded, whatever the URI says behind `#`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Makes a value global, stronger than a file's `[DEFAULT]` for factories and `get`. `%(name)s` in a file means what that file
    /// itself says, and this only where it says nothing.
    #[must_use]
    pub fn global(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.global.set(key.into(), Value::given(value.into()));
        self
    }

    /// Everything that is built tells a request's trace what it does.
    #[cfg(feature = "cli")]
    pub(crate) fn traced(mut self) -> Self {
        self.traced = true;
        self
    }

    /// Where files come from, instead of the disk: from memory, say. `read` is given their whole paths.
    #[must_use]
    pub fn files(
        mut self,
        read: impl Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.read = Box::new(read);
        self
    }

    /// Builds the app that a URI names: `config:FILE#NAME`, `egg:NAME#ENTRY` or `call:MODULE:FUNCTION`.
    ///
    /// # Errors
    ///
    /// What is wrong, and where.
    pub fn load_app(&self, uri: &str) -> Result<App, Error> {
        let plan = self.plan(Role::App, uri)?;
        plan.root.app(&self.options(&plan))
    }

    /// Builds a filter.
    ///
    /// # Errors
    ///
    /// As [`load_app`](Self::load_app).
    pub fn load_filter(&self, uri: &str) -> Result<Filter, Error> {
        let plan = self.plan(Role::Filter, uri)?;
        plan.root.filter(&self.options(&plan))
    }

    /// Builds a server.
    ///
    /// # Errors
    ///
    /// As [`load_app`](Self::load_app).
    pub fn load_server(&self, uri: &str) -> Result<Server, Error> {
        let plan = self.plan(Role::Server, uri)?;
        plan.root.server(&self.options(&plan))
    }

    /// The server of the file that the app is in, `[server:main]`, or the built-in one if it has none.
    #[cfg(feature = "cli")]
    pub(crate) fn find_server(&self, app: &Plan, uri: &str) -> Result<Server, Error> {
        let has_server = match app.files.first() {
            Some(path) => {
                let document = Document::parse(path, text(path, &self.read)?)?;
                let mut names = document.sections.iter().map(|section| &section.name);
                names.any(|name| name == "server:main")
            }
            None => false,
        };
        let file = uri.split('#').next().unwrap_or_default();
        match has_server {
            true => self.load_server(file),
            false => Ok(Server::http(HttpServer::new(Address::Tcp(
                DEFAULT.to_owned(),
            )))),
        }
    }

    /// The plan of an app, unbuilt.
    ///
    /// # Errors
    ///
    /// As [`load_app`](Self::load_app), but for what the factories themselves say.
    pub fn plan_app(&self, uri: &str) -> Result<Plan, Error> {
        self.plan(Role::App, uri)
    }

    /// The settings that an app would get.
    ///
    /// # Errors
    ///
    /// As [`plan_app`](Self::plan_app).
    pub fn app_config(&self, uri: &str) -> Result<AppConfig, Error> {
        let root = self.plan(Role::App, uri)?.root;
        Ok(AppConfig {
            global: root.global,
            local: root.local,
        })
    }

    fn options(&self, plan: &Plan) -> Options<'_> {
        Options {
            read: &self.read,
            traced: self.traced,
            files: plan.files.clone(),
        }
    }

    fn plan(&self, role: Role, uri: &str) -> Result<Plan, Error> {
        self.registry.check()?;
        let files = Mutex::new(Vec::new());
        let read = |path: &Path| {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.push(path.to_owned());
            (self.read)(path)
        };
        let mut resolver = Resolver::new(&self.registry, &read);
        // `here` is a whole path, wherever the program was started.
        let whole = |folder: &PathBuf| path::absolute(folder).unwrap_or_else(|_| folder.clone());
        let folder = self.relative_to.as_ref().map(whole);
        let global = Some(&self.global).filter(|global| !global.is_empty());
        let global = global.map(|global| Rc::new(RefCell::new(global.clone())));
        let (name, folder) = (self.name.as_deref(), folder.as_deref());
        let context = resolver.uri(role, uri, name, folder, global.as_ref());
        let context = context.map_err(|error| error.at(resolver.start().as_ref()))?;
        Plan::new(context, role, &self.registry, &mut resolver, &files)
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("registry", &self.registry)
            .field("relative_to", &self.relative_to)
            .finish_non_exhaustive()
    }
}
