use std::{fmt, sync::Arc};

use http::request::Parts;
use tower_layer::Layer;

use crate::{
    Cascade,
    chain::{Guard, Last, Link},
    options::{ErrorsEnd, OnError, Options, option_methods},
    statuses::Statuses,
};

/// Tries an app, or several in turn, before the wrapped service.
pub struct CascadeLayer<L, P = ErrorsEnd> {
    apps: L,
    options: Arc<Options<P>>,
}

impl<A> CascadeLayer<Try<A>> {
    /// Every request goes to `app` first. Where its answer is 404, or what [`on`](Self::on) says, the next app is
    /// asked, and at last the wrapped service.
    pub fn new(app: A) -> Self {
        Self {
            apps: Try { app, guard: None },
            options: Arc::default(),
        }
    }
}

impl<L, P> CascadeLayer<L, P> {
    /// One more app, of any type, to be asked before the wrapped service.
    #[must_use]
    pub fn then<A>(self, app: A) -> CascadeLayer<Then<L, A>, P> {
        CascadeLayer {
            apps: Then {
                before: self.apps,
                last: Try { app, guard: None },
            },
            options: self.options,
        }
    }

    /// Only requests that the function says yes to are tried on the app that was given last; the others go straight to the
    /// next one, neither cloned nor recorded. Default: all.
    #[must_use]
    pub fn only(mut self, guard: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self
    where
        L: Apps,
    {
        self.apps.guard_last(Arc::new(guard));
        self
    }

    /// Errors for which the function says yes count as no answer, and the next app is asked. It sees them as errors of
    /// the wrapped service's type. Say it only of errors after which the
    /// app has certainly not acted on the request, whatever the method: the next app gets it too. Default: an error is the end.
    #[must_use]
    pub fn on_error<E>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> CascadeLayer<L, OnError<E>> {
        CascadeLayer {
            apps: self.apps,
            options: Arc::new(self.options.with_policy(OnError::new(predicate))),
        }
    }
}

impl<L, P: Clone> CascadeLayer<L, P> {
    option_methods!();
}

impl<L: Clone, P> Clone for CascadeLayer<L, P> {
    fn clone(&self) -> Self {
        Self {
            apps: self.apps.clone(),
            options: self.options.clone(),
        }
    }
}

impl<L: fmt::Debug, P: fmt::Debug> fmt::Debug for CascadeLayer<L, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CascadeLayer")
            .field("apps", &self.apps)
            .field("options", &self.options)
            .finish()
    }
}

impl<L: Apps, P, S> Layer<S> for CascadeLayer<L, P> {
    type Service = Cascade<L::Chain<Last<S>>, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Cascade {
            apps: self.apps.chain(Last { app: inner }),
            options: self.options.clone(),
        }
    }
}

/// The apps of a layer.
pub trait Apps {
    /// They, and what comes after them.
    type Chain<N>;

    /// Puts them before what comes after them.
    fn chain<N>(&self, next: N) -> Self::Chain<N>;

    #[doc(hidden)]
    fn guard_last(&mut self, guard: Guard);
}

/// An app that is tried.
#[derive(Clone)]
pub struct Try<A> {
    app: A,
    guard: Option<Guard>,
}

impl<A: Clone> Apps for Try<A> {
    type Chain<N> = Link<A, N>;

    fn chain<N>(&self, next: N) -> Self::Chain<N> {
        Link {
            app: self.app.clone(),
            guard: self.guard.clone(),
            next,
        }
    }

    fn guard_last(&mut self, guard: Guard) {
        self.guard = Some(guard);
    }
}

impl<A: fmt::Debug> fmt::Debug for Try<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Try")
            .field("app", &self.app)
            .field("guarded", &self.guard.is_some())
            .finish()
    }
}

/// An app that is tried after others.
#[derive(Clone, Debug)]
pub struct Then<L, A> {
    before: L,
    last: Try<A>,
}

impl<L: Apps, A: Clone> Apps for Then<L, A> {
    type Chain<N> = L::Chain<Link<A, N>>;

    fn chain<N>(&self, next: N) -> Self::Chain<N> {
        self.before.chain(self.last.chain(next))
    }

    fn guard_last(&mut self, guard: Guard) {
        self.last.guard_last(guard);
    }
}
