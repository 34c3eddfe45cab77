//! The head of a request, without moving it. `into_parts` and `from_parts` would move all of it
//! twice.

use std::mem::swap;

use http::{Request, request::Parts};

/// Calls a function with a request's head. Few layers need it, so it is not inlined into the path
/// of the others.
#[cold]
#[inline(never)]
pub(crate) fn shown<B, T>(request: &mut Request<B>, show: impl FnOnce(&Parts) -> T) -> T {
    let mut head = Request::new(());
    swap_heads(request, &mut head);
    let (parts, ()) = head.into_parts();
    let shown = show(&parts);
    swap_heads(request, &mut Request::from_parts(parts, ()));
    shown
}

/// Returns a copy of the head.
pub(crate) fn copied<B>(request: &Request<B>) -> Request<()> {
    let mut head = Request::new(());
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    *head.version_mut() = request.version();
    head.headers_mut().clone_from(request.headers());
    head.extensions_mut().clone_from(request.extensions());
    head
}

fn swap_heads<A, B>(a: &mut Request<A>, b: &mut Request<B>) {
    swap(a.method_mut(), b.method_mut());
    swap(a.uri_mut(), b.uri_mut());
    swap(a.version_mut(), b.version_mut());
    swap(a.headers_mut(), b.headers_mut());
    swap(a.extensions_mut(), b.extensions_mut());
}
