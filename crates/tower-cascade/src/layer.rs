use std::{fmt, sync::Arc};

use http::{StatusCode, request::Parts};
use tower_layer::Layer;

use crate::{
    Cascade, StatusError,
    chain::{Guard, Last, Link},
    list::List,
    options::{ErrorsEnd, OnError, Options},
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

impl<A> CascadeLayer<List<A>> {
    /// Apps of one type, which are not put before another service: [`service`](Self::service) makes one of them.
    pub fn list(apps: impl IntoIterator<Item = A>) -> Self {
        Self {
            apps: apps.into_iter().collect(),
            options: Arc::default(),
        }
    }
}

impl<A, P> CascadeLayer<List<A>, P> {
    /// The service that tries them, see [`Cascade::new`].
    pub fn service(self) -> Cascade<List<A>, P> {
        Cascade {
            apps: self.apps,
            options: self.options,
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
    /// next one, neither cloned nor recorded. Said twice, both have to say yes. Default: all.
    ///
    /// It is for an app that has an answer to what is not for it: a file service says 405 to POST, which is the answer then.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::{Method, Request, StatusCode}, routing::{get, post}};
    /// use tower::{Layer, ServiceExt};
    /// use tower_cascade::CascadeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let files: Router = Router::new().route("/orders", get(async || "orders.html"));
    /// let api: Router = Router::new().route("/orders", post(async || "ordered"));
    /// let all = CascadeLayer::new(files.clone());
    /// let some = CascadeLayer::new(files).only(|head| matches!(head.method, Method::GET | Method::HEAD));
    /// for (layer, status) in [(all, StatusCode::METHOD_NOT_ALLOWED), (some, StatusCode::OK)] {
    ///     let request = Request::post("/orders").body(Body::empty())?;
    ///     assert_eq!(layer.layer(api.clone()).oneshot(request).await?.status(), status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn only(mut self, guard: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self
    where
        L: Apps,
    {
        self.apps.guard_last(Arc::new(guard));
        self
    }

    /// Errors for which the function says yes count as no answer, and the next app is asked. It sees them as errors of
    /// the wrapped service's type, or of the list's. Say it only of errors after which the
    /// app has certainly not acted on the request, whatever the method: the next app gets it too. Default: an error is the end.
    ///
    /// The function's argument names the type of the errors, so a closure must name it:
    /// `|error: &BoxError| …`. A function for another type is never called. In a debug build, the
    /// first error of another type is a panic.
    ///
    /// # In a task
    ///
    /// An async block around the call may not be `Send` for rustc ("implementation of `From` is not
    /// general enough") if a service within has `BoxError` in its own type: a boxed service, or a
    /// closure that returns a `BoxError`. Box the whole cascade with
    /// `tower::util::BoxCloneSyncService::new`, use a `fn` or an `async fn` instead of the closure,
    /// or spawn `app.oneshot(request)` without a block. See "In a task" in the
    /// [crate's documentation](crate#in-a-task).
    ///
    /// ```
    /// use std::io;
    ///
    /// use http::{Request, Response};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    /// use tower_cascade::CascadeLayer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// async fn down<B>(_: Request<B>) -> Result<Response<String>, BoxError> {
    ///     Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())
    /// }
    ///
    /// async fn page<B>(_: Request<B>) -> Result<Response<String>, BoxError> {
    ///     Ok(Response::new("a page".to_owned()))
    /// }
    ///
    /// let app = CascadeLayer::new(service_fn(down))
    ///     .on_error(|error: &BoxError| match error.downcast_ref::<io::Error>() {
    ///         Some(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    ///         None => false,
    ///     })
    ///     .layer(service_fn(page));
    /// let task = tokio::spawn(async move {
    ///     let response = app.oneshot(Request::new(String::new())).await;
    ///     response.map(|response| response.status())
    /// });
    /// assert_eq!(task.await??, 200);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_error<E: 'static>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> CascadeLayer<L, OnError> {
        CascadeLayer {
            apps: self.apps,
            options: Arc::new(self.options.with_policy(OnError::new(predicate))),
        }
    }
}

impl<L, P: Clone> CascadeLayer<L, P> {
    /// The statuses with which an answer is none, so that the next app is asked. They take the place of 404, which is the default.
    ///
    /// A request whose method is not idempotent does not go on after a 5xx, since the app may have acted on it. (An app may
    /// say otherwise of its own answer, with [`Pass`](crate::Pass).) If 405
    /// is among them and the final answer is 405 too, its `Allow` becomes that of all of these.
    ///
    /// # Errors
    ///
    /// 401 and 403 without [`allow_auth_statuses`](Self::allow_auth_statuses) before; 204, 304 and 1xx.
    pub fn on(
        mut self,
        statuses: impl IntoIterator<Item = StatusCode>,
    ) -> Result<Self, StatusError> {
        Arc::make_mut(&mut self.options).set_statuses(statuses)?;
        Ok(self)
    }

    /// The same, by a function. It is not asked about 204, 304 and 1xx, nor about 401 and 403 without
    /// [`allow_auth_statuses`](Self::allow_auth_statuses) before.
    #[must_use]
    pub fn on_statuses(
        mut self,
        statuses: impl Fn(StatusCode) -> bool + Send + Sync + 'static,
    ) -> Self {
        let options = Arc::make_mut(&mut self.options);
        options.statuses = Statuses::by(statuses, options.auth_statuses);
        self
    }

    /// Lets an [`on`](Self::on) or [`on_statuses`](Self::on_statuses) that comes after it take 401 and 403; by itself it changes nothing. Then a
    /// request that an app has refused is given to the next one, which must refuse it by itself.
    #[must_use]
    pub fn allow_auth_statuses(mut self) -> Self {
        Arc::make_mut(&mut self.options).auth_statuses = true;
        self
    }

    /// How much of a body is kept for the next app, in bytes. Default: 65,536.
    ///
    /// An app may read more than that, and its answer counts; but if it then answers 404, the cascade
    /// answers 413 (Content Too Large). What an app does not read counts nothing: an upload of any
    /// size passes an app that answers 404 without reading it.
    #[must_use]
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.options).replay_limit = bytes;
        self
    }

    /// Leaves a [`CascadeTrace`](crate::CascadeTrace) in the answer's extensions. Default: no.
    #[must_use]
    pub fn trace(mut self, yes: bool) -> Self {
        Arc::make_mut(&mut self.options).trace = yes;
        self
    }

    /// Takes an answer with the header `X-Cascade: pass`, as Rack's routers give it, for one with
    /// [`Pass`](crate::Pass), and takes that header off the final answer. It goes on whatever the status, so it is for
    /// apps whose headers are to be trusted, and not for a proxy. Default: no.
    #[must_use]
    pub fn x_cascade_header(mut self, yes: bool) -> Self {
        Arc::make_mut(&mut self.options).x_cascade = yes;
        self
    }
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
        self.guard = Some(match self.guard.take() {
            Some(before) => Arc::new(move |parts: &Parts| before(parts) && guard(parts)),
            None => guard,
        });
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
