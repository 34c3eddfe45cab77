use std::{
    mem,
    task::{Context, Poll},
};

use http::{Extensions, Request, request::Parts};
use tower_service::Service;

use crate::{Environ, EnvironLayer, environ::Entry, layer::Source};

/// The service that [`EnvironLayer`] makes.
///
/// Its readiness, its errors and its responses are those of the inner service.
#[derive(Clone, Debug)]
pub struct WithEnviron<S> {
    pub(crate) inner: S,
    pub(crate) layer: EnvironLayer,
}

impl<S, B> Service<Request<B>> for WithEnviron<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    // Only the request changes, so the inner future is the future.
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match &self.layer.source {
            Source::Value(entry) => self.layer.set(request.extensions_mut(), entry),
            Source::Computed(entry) => {
                if let Some(entry) = with_parts(&mut request, |parts| entry(parts)) {
                    self.layer.set(request.extensions_mut(), &entry);
                }
            }
        }
        self.inner.call(request)
    }
}

impl EnvironLayer {
    #[inline]
    fn set(&self, extensions: &mut Extensions, entry: &Entry) {
        let environ = extensions.get_or_insert_default::<Environ>();
        environ.put(entry, self.default);
    }
}

/// Calls a function with a request's head. The body is not moved, and this function is not inlined.
/// Otherwise every request would be copied once more.
#[cold]
#[inline(never)]
fn with_parts<B, T>(request: &mut Request<B>, show: impl FnOnce(&Parts) -> T) -> T {
    let mut head = Request::new(());
    swap_heads(request, &mut head);
    let (parts, ()) = head.into_parts();
    let shown = show(&parts);
    swap_heads(request, &mut Request::from_parts(parts, ()));
    shown
}

fn swap_heads<A, B>(a: &mut Request<A>, b: &mut Request<B>) {
    mem::swap(a.method_mut(), b.method_mut());
    mem::swap(a.uri_mut(), b.uri_mut());
    mem::swap(a.version_mut(), b.version_mut());
    mem::swap(a.headers_mut(), b.headers_mut());
    mem::swap(a.extensions_mut(), b.extensions_mut());
}
