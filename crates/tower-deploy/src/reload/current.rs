//! The current app of a file, and its replacement.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use http::Request;
use tower_service::Service;

use crate::{App, Body, Error, Loader, loader::Site, snapshot::Snapshot};

/// An app of a file that can be built anew: requests that come from then on go to the new one, those under way stay with the old one, which is
/// dropped after the last of them.
///
/// ```
/// # use std::{convert::Infallible, io, sync::{Arc, Mutex}};
/// # use tower_deploy::{Loader, Registry, Reload};
/// # let file = Arc::new(Mutex::new("[app:main]\nuse = egg:tower#text\ntext = one\n".to_owned()));
/// # let now = file.clone();
/// # let loader = Loader::new(Registry::standard()).files(move |_| Ok(now.lock().unwrap().clone().into_bytes()));
/// let reload = Reload::new(loader, "config:/srv/site.ini")?;
/// let app = reload.app();
/// // … and later, on a thread where it may take its time:
/// if let Err(error) = reload.now() {
///     eprintln!("{}", error.report(false));
/// }
/// # Ok::<_, tower_deploy::Error>(())
/// ```
pub struct Reload {
    loader: Loader,
    uri: String,
    current: Arc<ArcSwap<App>>,
    /// The files that said what was built last, or could not be. Whoever reloads holds it, so that there is one reload at a time.
    files: Mutex<Files>,
}

/// Files, and what was in them when they were read.
pub(crate) type Files = BTreeMap<PathBuf, Contents>;

/// What was in a file, or why it could not be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Contents(u64);

impl Contents {
    fn of(read: &io::Result<Vec<u8>>) -> Self {
        let mut hasher = DefaultHasher::new();
        let read = read.as_ref().map_err(io::Error::kind);
        read.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Of all files that were read.
    pub(crate) fn of_all(files: &Snapshot<'_>) -> Files {
        let of = |path: PathBuf| {
            let contents = Self::of(&files.read(&path));
            (path, contents)
        };
        files.paths().into_iter().map(of).collect()
    }
}

impl Reload {
    /// Builds the app that a URI names.
    ///
    /// # Errors
    ///
    /// As [`Loader::load_app`].
    pub fn new(loader: Loader, uri: impl Into<String>) -> Result<Self, Error> {
        let uri = uri.into();
        let (app, files) = {
            let files = loader.snapshot();
            let site = loader.load_site(&uri, &files)?;
            (site.app, Contents::of_all(&files))
        };
        Ok(Self::of(loader, uri, app, files))
    }

    /// With an app that was built of these files.
    pub(crate) fn of(loader: Loader, uri: String, app: App, files: Files) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(app)),
            files: Mutex::new(files),
            loader,
            uri,
        }
    }

    /// The app that gives each request to the one that is there when it comes.
    #[must_use]
    pub fn app(&self) -> App {
        let current = self.current.clone();
        App::new(tower::service_fn(move |request: Request<Body>| {
            let mut app = App::clone(&current.load());
            app.call(request)
        }))
    }

    /// Builds the app anew beside the old one, and puts it in its place. It reads files and may take its time, so a server calls it on a thread for that.
    ///
    /// # Errors
    ///
    /// What is wrong with the files, with their `[server:main]` too. The app stays the one that it was.
    pub fn now(&self) -> Result<(), Error> {
        self.server_now().map(drop)
    }

    /// The same, and tells what the file says of the server by now.
    pub(crate) fn server_now(&self) -> Result<Option<String>, Error> {
        let mut known = self.held();
        let files = self.loader.snapshot();
        let built = self.loader.load_site(&self.uri, &files);
        let built = built.and_then(|Site { app, server, .. }| Ok((app, server?)));
        let read = Contents::of_all(&files);
        match built {
            Ok((app, server)) => {
                *known = read;
                self.current.store(Arc::new(app));
                Ok(server.map(|plan| plan.to_string()))
            }
            Err(error) => {
                // What is included behind the fault was not read, and still matters.
                for (path, contents) in &mut *known {
                    *contents = Contents::of(&files.read(path));
                }
                known.extend(read);
                Err(error)
            }
        }
    }

    /// The files whose changes matter: the one that is named, and all that it includes.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.held().keys().cloned().collect()
    }

    /// Whether there is something else in the files now than when they were read.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let known = self.held();
        let files = self.loader.snapshot();
        let mut known = known.iter();
        known.any(|(path, contents)| Contents::of(&files.read(path)) != *contents)
    }

    fn held(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}
