//! Notices that files are not what they were. What counts is what is in them: editors write, rename, delete and make anew in
//! all orders, and a file may be a link to another one that changes.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::Notify, time::timeout};

use super::Reload;

/// How long nothing must have happened before files are looked at: who saves twice in a moment has saved once.
const QUIET: Duration = Duration::from_millis(50);
/// How long changes that do not end are waited for.
const RESTLESS: Duration = Duration::from_secs(1);

pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    happened: Arc<Notify>,
    /// Whether something has happened since the files were looked at.
    has_happened: bool,
    watched: BTreeSet<PathBuf>,
}

impl Watch {
    pub(crate) fn new(reload: &Reload) -> notify::Result<Self> {
        let happened = Arc::new(Notify::new());
        let told = happened.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Looking at a file is an event, too, and would be one for ever.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                told.notify_one();
            }
        })?;
        let mut watch = Self {
            watcher,
            happened,
            // What happened before it was watched.
            has_happened: true,
            watched: BTreeSet::new(),
        };
        watch.files(reload);
        Ok(watch)
    }

    /// Watches what matters by now.
    fn files(&mut self, reload: &Reload) {
        let files = reload.files();
        // A file that is renamed into its place is new to its folder; one that is mounted from elsewhere changes by itself.
        let folders = files.iter().filter_map(|file| file.parent());
        let paths = folders.chain(files.iter().map(PathBuf::as_path));
        let wanted: BTreeSet<PathBuf> = paths.map(Path::to_owned).collect();
        for old in self.watched.difference(&wanted) {
            let _ = self.watcher.unwatch(old);
        }
        for path in &wanted {
            // Again, since it may have been made anew. One that is not there is told of by its folder when it is.
            let _ = self.watcher.watch(path, RecursiveMode::NonRecursive);
        }
        self.watched = wanted;
    }

    /// Waits until the files are not what they were when they were read.
    pub(crate) async fn changed(&mut self, reload: &Reload) {
        loop {
            if !self.has_happened {
                self.happened.notified().await;
                self.has_happened = true;
                let quiet =
                    async { while timeout(QUIET, self.happened.notified()).await.is_ok() {} };
                let _ = timeout(RESTLESS, quiet).await;
            }
            self.has_happened = false;
            self.files(reload);
            if reload.is_stale() {
                return;
            }
        }
    }
}
