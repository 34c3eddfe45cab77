//! The current app of a file, and its replacement.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io, mem,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;

use crate::{App, Error, Loader, loader::Site, processes::Processes, snapshot::Snapshot};

/// An app of a file that can be rebuilt. Requests that come after that go to the new app. Those
/// under way stay with the old one, which is dropped after the last of them.
///
/// The new app's processes accept connections before it replaces the old one, whose processes are
/// stopped when it is dropped.
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
    /// A reload holds this, so that there is one at a time.
    last: Mutex<Last>,
}

struct Last {
    /// The files of the last build, which may have failed.
    files: Files,
    /// The processes of the current app.
    processes: Processes,
    /// Waits for the processes of earlier apps.
    #[cfg(feature = "cli")]
    earlier: tokio::task::JoinSet<()>,
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
        let (site, files) = {
            let files = loader.snapshot();
            let site = loader.load_site(&uri, &files)?;
            (site, Contents::of_all(&files))
        };
        Ok(Self::of(loader, uri, site.app, files, site.processes))
    }

    /// Returns the reload of an app that was built of these files.
    pub(crate) fn of(
        loader: Loader,
        uri: String,
        app: App,
        files: Files,
        processes: Processes,
    ) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(app)),
            last: Mutex::new(Last {
                files,
                processes,
                #[cfg(feature = "cli")]
                earlier: tokio::task::JoinSet::new(),
            }),
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

    /// Rebuilds the app beside the old one, and replaces that. It reads files, waits for processes
    /// and blocks, so a server calls it on a thread for that: tokio's `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// The files have an error, which may be in `[server:main]`, or a process of the new app does
    /// not accept connections. The old app stays.
    pub fn now(&self) -> Result<(), Error> {
        self.server_now().map(drop)
    }

    /// Does the same, and returns the plan of the server.
    pub(crate) fn server_now(&self) -> Result<Option<String>, Error> {
        let mut last = self.held();
        let files = self.loader.snapshot();
        let built = self.loader.load_site(&self.uri, &files);
        let built = built.and_then(|site| {
            let Site {
                app,
                server,
                processes,
                ..
            } = site;
            let server = server?;
            processes.ready()?;
            Ok((app, server, processes))
        });
        let read = Contents::of_all(&files);
        match built {
            Ok((app, server, processes)) => {
                last.files = read;
                self.current.store(Arc::new(app));
                let _earlier = mem::replace(&mut last.processes, processes);
                #[cfg(feature = "cli")]
                last.wait_for(_earlier);
                Ok(server.map(|plan| plan.to_string()))
            }
            Err(error) => {
                // Files that are named after the error were not read, and still matter.
                for (path, contents) in &mut last.files {
                    *contents = Contents::of(&files.read(path));
                }
                last.files.extend(read);
                Err(error)
            }
        }
    }

    /// Returns the files whose changes matter: the one that is named, and all that it includes.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.held().files.keys().cloned().collect()
    }

    /// Returns whether the contents of the files have changed since they were read.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        let last = self.held();
        let files = self.loader.snapshot();
        let mut known = last.files.iter();
        known.any(|(path, contents)| Contents::of(&files.read(path)) != *contents)
    }

    /// Stops the processes of the current app, and waits until they and those of earlier apps have
    /// ended.
    #[cfg(feature = "cli")]
    pub(crate) async fn stop_processes(self: Arc<Self>) {
        // A reload that is under way holds them.
        let taken = tokio::task::spawn_blocking(move || {
            let mut last = self.held();
            (mem::take(&mut last.processes), mem::take(&mut last.earlier))
        });
        if let Ok((processes, earlier)) = taken.await {
            processes.stop().await;
            earlier.join_all().await;
        }
    }

    fn held(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Last {
    /// Waits for processes in a task. They end when the last request of their app has.
    #[cfg(feature = "cli")]
    fn wait_for(&mut self, processes: Processes) {
        while self.earlier.try_join_next().is_some() {}
        if !processes.is_empty() {
            self.earlier.spawn(processes.ended());
        }
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}
