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

use crate::{App, Error, Loader, loader::Site, snapshot::Snapshot};

/// An app of a file that can be rebuilt. Requests that come after that go to the new app. Those
/// under way stay with the old one, which is dropped after the last of them.
///
/// ```
/// # use std::{convert::Infallible, io, sync::{Arc, Mutex}};
/// # use tower_deploy::{Loader, Registry, Reload};
/// # let file = Arc::new(Mutex::new("[app:main]\nuse = egg:tower#text\ntext = one\n".to_owned()));
/// # let now = file.clone();
/// # let read = move |_: &std::path::Path| Ok(now.lock().unwrap().clone().into_bytes());
/// # let loader = Loader::new(Registry::standard()).files(read);
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
    /// The files of the last build, which may have failed. A reload holds them, so that there is
    /// one at a time.
    files: Mutex<Files>,
}

/// Files with their contents when they were read.
pub(crate) type Files = BTreeMap<PathBuf, Contents>;

/// The content of a file, or the reason why it could not be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Contents(u64);

impl Contents {
    fn of(read: &io::Result<Vec<u8>>) -> Self {
        let mut hasher = DefaultHasher::new();
        let read = read.as_ref().map_err(io::Error::kind);
        read.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Returns the contents of all files that were read.
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
    /// The URI or a file has an error, or a factory fails.
    pub fn new(loader: Loader, uri: impl Into<String>) -> Result<Self, Error> {
        let uri = uri.into();
        let (app, files) = {
            let files = loader.snapshot();
            let site = loader.load_site(&uri, &files)?;
            (site.app, Contents::of_all(&files))
        };
        Ok(Self::of(loader, uri, app, files))
    }

    /// Returns the reload of an app that was built of these files.
    pub(crate) fn of(loader: Loader, uri: String, app: App, files: Files) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(app)),
            files: Mutex::new(files),
            loader,
            uri,
        }
    }

    /// Returns an app that passes each request to the current one.
    #[must_use]
    pub fn app(&self) -> App {
        let current = self.current.clone();
        App::choosing(move || App::clone(&current.load()))
    }

    /// Rebuilds the app beside the old one, and replaces that. It reads files and blocks, so a
    /// server calls it on a thread for that.
    ///
    /// # Errors
    ///
    /// The files have an error, which may be in `[server:main]`. The old app stays.
    pub fn now(&self) -> Result<(), Error> {
        self.server_now().map(drop)
    }

    /// Does the same, and returns the plan of the server.
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
                // Files that are named after the error were not read, and still matter.
                for (path, contents) in &mut *known {
                    *contents = Contents::of(&files.read(path));
                }
                known.extend(read);
                Err(error)
            }
        }
    }

    /// Returns the files whose changes matter: the one that is named, and all that it includes.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.held().keys().cloned().collect()
    }

    /// Returns whether the contents of the files have changed since they were read.
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
