//! The tasks of the streams of HTTP/2 connections.
//!
//! hyper polls the service's future and takes what its response has in one poll of a task. What
//! has to last until the end of that poll is kept for the thread, because no value of this crate
//! outlasts the future there.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{activity::Open, departure::Leaving, panic::contained};

thread_local! {
    /// The response of the stream that this thread polls.
    static LEAVING: Cell<Option<Leaving>> = const { Cell::new(None) };
    /// The tunnel that this response opens.
    static TUNNEL: Cell<Option<Open>> = const { Cell::new(None) };
}

/// Keeps what belongs to a response until hyper has taken its content.
pub(crate) fn leaves(leaving: Leaving) {
    LEAVING.set(Some(leaving));
}

/// Has a tunnel open until the task ends that hyper starts for it.
pub(crate) fn opens_tunnel(open: Open) {
    TUNNEL.set(Some(open));
}

/// Runs the streams of HTTP/2 connections as tasks. A stream ends with its connection.
#[derive(Clone, Debug)]
pub(crate) struct Streams;

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(Task {
            stream: contained(stream),
            _tunnel: TUNNEL.take(),
        });
    }
}

pin_project! {
    struct Task<F> {
        #[pin]
        stream: F,
        // It is the task of a tunnel, or of a request.
        _tunnel: Option<Open>,
    }
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.project().stream.poll(cx);
        drop((LEAVING.take(), TUNNEL.take()));
        polled
    }
}
