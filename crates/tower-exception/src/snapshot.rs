//! What a request's extensions held, for the debug page.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

#[cfg(feature = "debug")]
use tower_kit::secrets;

#[cfg(feature = "debug")]
use crate::guard;

/// Hands what is in a request's extensions here, below the layers that put it there, to the incident, if there is one.
///
/// What a layer puts into a request dies with the request; an [`ExceptionLayer`](crate::ExceptionLayer) further out would never see it. In production this layer does
/// nothing. In debug it clones what it was told to show, and `Debug` of that is on the page.
///
/// ```
/// # use tower_exception::SnapshotLayer;
/// # #[derive(Clone, Debug)] struct User;
/// # #[derive(Clone, Debug)] struct Tenant;
/// let layer = SnapshotLayer::new().show::<User>("user").show::<Tenant>("tenant");
/// # let _ = layer;
/// ```
#[derive(Clone, Default)]
pub struct SnapshotLayer {
    shows: Arc<[Show]>,
}

/// A name, and how to take what it stands for.
#[derive(Clone)]
struct Show {
    name: &'static str,
    take: fn(&Extensions) -> Option<Box<dyn Shown>>,
}

#[cfg_attr(
    not(feature = "debug"),
    allow(dead_code, reason = "only the page asks")
)]
trait Shown: Any + Send + Sync {
    fn text(&self) -> String;
}

impl<T: fmt::Debug + Any + Send + Sync> Shown for T {
    fn text(&self) -> String {
        format!("{self:#?}")
    }
}

impl SnapshotLayer {
    /// One that shows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows the extension of this type under this name, if there is one; of several under one name the latest.
    ///
    /// If the name is that of a secret (`session`, `auth`, `key`, `pass`), the whole value is hidden,
    /// see [`tower_kit::secrets::is_secret`].
    #[must_use]
    pub fn show<T: Clone + fmt::Debug + Send + Sync + 'static>(self, name: &'static str) -> Self {
        let show = Show {
            name,
            take: |extensions| Some(Box::new(extensions.get::<T>()?.clone())),
        };
        let shows = self.shows.iter().cloned().chain([show]);
        Self {
            shows: shows.collect(),
        }
    }
}

impl fmt::Debug for SnapshotLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.shows.iter().map(|show| show.name))
            .finish()
    }
}

impl<S> Layer<S> for SnapshotLayer {
    type Service = Snapshot<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Snapshot {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`SnapshotLayer`] makes.
#[derive(Clone, Debug)]
pub struct Snapshot<S> {
    inner: S,
    layer: SnapshotLayer,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Snapshot<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(album) = request.extensions().get::<Album>() {
            album.take(&self.layer.shows, request.extensions());
        }
        self.inner.call(request)
    }
}

/// Where the snapshots of one request are kept. The layer that wants them puts it into the request.
#[derive(Clone, Default)]
pub(crate) struct Album {
    shots: Arc<Mutex<Vec<(&'static str, Box<dyn Shown>)>>>,
}

impl Album {
    fn take(&self, shows: &[Show], extensions: &Extensions) {
        // Somebody else's `Clone` may panic, and not under the lock.
        let shots: Vec<_> = shows
            .iter()
            .filter_map(|show| Some((show.name, (show.take)(extensions)?)))
            .collect();
        let mut kept = self.shots.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(shots);
    }

    /// What all of them say, the latest of each name.
    #[cfg(feature = "debug")]
    pub(crate) fn texts(&self) -> Vec<(&'static str, String)> {
        let mut kept = self.shots.lock().unwrap_or_else(PoisonError::into_inner);
        let shots = std::mem::take(&mut *kept);
        drop(kept);
        let mut texts: Vec<(&'static str, String)> = Vec::new();
        for (name, shot) in shots {
            let text =
                guard::catch(|| shot.text()).unwrap_or_else(|_| "(its Debug panicked)".to_owned());
            guard::discard(shot);
            let text = match secrets::is_secret(name) {
                true => secrets::REDACTED.to_owned(),
                false => secrets::fields(&text).into_owned(),
            };
            match texts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, before)) => *before = text,
                None => texts.push((name, text)),
            }
        }
        texts
    }
}
