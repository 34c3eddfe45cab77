//! The processes that the apps of a site have started.

#[cfg(all(feature = "process", unix))]
use std::sync::{Mutex, PoisonError};

#[cfg(all(feature = "process", unix))]
use tower_process::Running;

#[cfg(all(feature = "process", unix))]
use crate::App;
#[cfg(any(feature = "reload", all(feature = "process", unix)))]
use crate::Error;

/// The processes of one build of a site. They are stopped when this and the apps are dropped.
#[derive(Default)]
pub(crate) struct Processes {
    #[cfg(all(feature = "process", unix))]
    started: Mutex<Vec<Started>>,
}

#[cfg(all(feature = "process", unix))]
#[cfg_attr(
    not(any(feature = "cli", feature = "reload")),
    expect(dead_code, reason = "it only keeps the process")
)]
pub(crate) struct Started {
    /// The keys and values of its section.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) name: String,
    pub(crate) app: App,
    pub(crate) running: Running,
}

#[cfg(not(all(feature = "process", unix)))]
impl Processes {
    #[cfg(feature = "reload")]
    pub(crate) fn ready(&self) -> Result<(), Error> {
        Ok(())
    }

    #[cfg(feature = "cli")]
    pub(crate) async fn stop(self) {}

    #[cfg(all(feature = "cli", feature = "reload"))]
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    #[cfg(all(feature = "cli", feature = "reload"))]
    pub(crate) async fn ended(self) {}
}

#[cfg(all(feature = "process", unix))]
impl Processes {
    /// Returns the app with these settings. A section that is named several times has one process.
    pub(crate) fn once(
        &self,
        settings: &[(String, String)],
        start: impl FnOnce() -> Result<Started, Error>,
    ) -> Result<App, Error> {
        let mut all = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(started) = all.iter().find(|started| started.settings == settings) {
            return Ok(started.app.clone());
        }
        let started = start()?;
        let app = started.app.clone();
        all.push(started);
        Ok(app)
    }

    /// Waits until all accept connections, or returns the error of one that did not. It blocks.
    #[cfg(feature = "reload")]
    pub(crate) fn ready(&self) -> Result<(), Error> {
        // They were started within a runtime.
        let (Ok(runtime), all) = (tokio::runtime::Handle::try_current(), self.running()) else {
            return Ok(());
        };
        let (tell, told) = std::sync::mpsc::channel();
        for (name, running) in all {
            let tell = tell.clone();
            runtime.spawn(async move {
                let ready = running.ready().await;
                let _ = tell.send((name, ready));
            });
        }
        drop(tell);
        for (name, ready) in told {
            ready.map_err(|error| {
                let message = format!("the process `{name}` does not accept connections");
                Error::new(crate::ErrorKind::Factory, message).caused_by(error.into())
            })?;
        }
        Ok(())
    }

    /// Stops all, and waits until they have ended.
    #[cfg(feature = "cli")]
    pub(crate) async fn stop(self) {
        let mut all = tokio::task::JoinSet::new();
        for (_, running) in self.running() {
            all.spawn(async move { running.stop().await });
        }
        drop(self);
        all.join_all().await;
    }

    #[cfg(all(feature = "cli", feature = "reload"))]
    pub(crate) fn is_empty(&self) -> bool {
        let all = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        all.is_empty()
    }

    /// Waits until all have ended, and does not keep them meanwhile.
    #[cfg(all(feature = "cli", feature = "reload"))]
    pub(crate) async fn ended(self) {
        let all: Vec<_> = self
            .running()
            .into_iter()
            .map(|(_, it)| it.stopped())
            .collect();
        drop(self);
        for stopped in all {
            stopped.await;
        }
    }

    #[cfg(any(feature = "cli", feature = "reload"))]
    fn running(&self) -> Vec<(String, Running)> {
        let all = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|started| (started.name.clone(), started.running.clone()))
            .collect()
    }
}
