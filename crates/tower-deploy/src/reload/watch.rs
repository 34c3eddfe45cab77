//! Notices that files have changed. Only their content counts. Editors write, rename, delete and
//! create files in all orders, and deploys switch a link on the way to a file.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::Notify, time::timeout};

use super::{current::Reload, lookup};

/// How long files must be quiet before they are read. Two saves in a moment are one.
const QUIET: Duration = Duration::from_millis(50);
/// The longest wait for changes to end.
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
            // Reading a file is an event too, so the watch would never be quiet.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                told.notify_one();
            }
        })?;
        let mut watch = Self {
            watcher,
            happened,
            // A change may be older than the watch.
            has_happened: true,
            watched: BTreeSet::new(),
        };
        watch.files(reload);
        Ok(watch)
    }

    /// Watches the files that matter now, and their directories.
    fn files(&mut self, reload: &Reload) {
        let files = reload.files();
        loop {
            // A file, a directory or a link that is renamed over another is new to its directory. A
            // file that is mounted from elsewhere changes by itself.
            let wanted: BTreeSet<PathBuf> =
                files.iter().flat_map(|file| lookup::paths(file)).collect();
            for old in self.watched.difference(&wanted) {
                let _ = self.watcher.unwatch(old);
            }
            for path in &wanted {
                // Again, since it may be another one by now. A missing one is reported by its
                // directory when it comes.
                let _ = self.watcher.watch(path, RecursiveMode::NonRecursive);
            }
            // A link that was switched before it was watched leads elsewhere.
            let is_settled = self.watched == wanted;
            self.watched = wanted;
            if is_settled {
                return;
            }
        }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use futures_util::FutureExt;

    use super::*;
    use crate::{Loader, Registry};

    /// A file that is written after it was read and before it is watched must be noticed.
    #[tokio::test]
    async fn deploy_49_a_change_before_the_watch_is_noticed() {
        let file = format!("tower-deploy-watch-{}.ini", std::process::id());
        let file = std::env::temp_dir().join(file);
        let text = "[app:main]\nuse = egg:tower#text\ntext = one\n";
        fs::write(&file, text).unwrap();
        let uri = format!("config:{}", file.display());
        let reload = Reload::new(Loader::new(Registry::standard()), uri).unwrap();
        fs::write(&file, text.replace("one", "two")).unwrap();
        let mut watch = Watch::new(&reload).unwrap();
        // At once, because in a directory with other writers it would be noticed later anyway.
        let noticed = watch.changed(&reload).now_or_never();
        reload.now().unwrap();
        // It is noticed once.
        let again = timeout(QUIET * 4, watch.changed(&reload)).await;
        fs::remove_file(&file).unwrap();
        assert!(noticed.is_some());
        assert!(again.is_err());
    }
}
