//! Snapshots of a request's extensions, for the debug page.

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

/// A layer that keeps chosen extensions of the request for the incident, if there is one.
///
/// The extensions that inner layers insert are dropped with the request. The outer
/// [`ExceptionLayer`](crate::ExceptionLayer) never sees them, so this layer stands inside of those
/// layers. In production it does nothing. In development it clones the extensions that
/// [`show`](Self::show) names, and the page has their `Debug` text.
///
/// ```
/// # use tower_exception::SnapshotLayer;
/// # #[derive(Clone, Debug)] struct User;
/// # #[derive(Clone, Debug)] struct Tenant;
/// let layer = SnapshotLayer::new().show::<User>("user").show::<Tenant>("tenant");
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct SnapshotLayer {
    shows: Arc<[Show]>,
}

/// A name, and the function that clones its extension.
#[derive(Clone)]
struct Show {
    name: &'static str,
    take: fn(&Extensions) -> Option<Box<dyn Shown>>,
}

#[cfg_attr(
    not(feature = "debug"),
    allow(dead_code, reason = "only the page needs it")
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
    /// Returns a layer that shows no extensions yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the extension of this type, under this name. If layers add several under one name, the
    /// last one is shown.
    ///
    /// If the name is that of a secret (`session`, `auth`, `key`, `pass`), the whole value is
    /// hidden, see [`tower_kit::secrets::is_secret`].
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

impl fmt::Debug for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
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
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_exception::{Snapshot, SnapshotLayer};
///
/// let app: Snapshot<Router> = SnapshotLayer::new().show::<u32>("number").layer(Router::new());
/// ```
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

/// The snapshots of one request. The exception layer inserts it into the request's extensions.
#[derive(Clone, Default)]
pub(crate) struct Album {
    shots: Arc<Mutex<Vec<(&'static str, Box<dyn Shown>)>>>,
}

impl Album {
    fn take(&self, shows: &[Show], extensions: &Extensions) {
        // A user's `Clone` may panic, so it does not run under the lock.
        let shots: Vec<_> = shows
            .iter()
            .filter_map(|show| Some((show.name, (show.take)(extensions)?)))
            .collect();
        let mut kept = self.shots.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(shots);
    }

    /// Returns the text of the last snapshot of each name.
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
