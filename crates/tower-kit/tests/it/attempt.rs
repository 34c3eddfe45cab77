//! A clone that belongs to one request.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use tower::Service;
use tower_kit::Attempt;

/// A service that is ready, pending or failed, and doubles a number.
#[derive(Clone)]
struct Double {
    pending: u32,
    error: Option<&'static str>,
    is_ready: bool,
}

impl Double {
    fn new(pending: u32, error: Option<&'static str>) -> Self {
        Self {
            pending,
            error,
            is_ready: false,
        }
    }
}

impl Service<u32> for Double {
    type Response = u32;
    type Error = &'static str;
    type Future = Ready<Result<u32, &'static str>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.pending > 0 {
            self.pending -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_ready = true;
        Poll::Ready(self.error.map_or(Ok(()), Err))
    }

    fn call(&mut self, number: u32) -> Self::Future {
        assert!(self.is_ready, "called before it was ready");
        self.is_ready = false;
        ready(Ok(2 * number))
    }
}

#[tokio::test]
async fn kit_10_a_service_that_is_ready_is_called_at_once() {
    assert_eq!(Attempt::new(Double::new(0, None), 4).await, Ok(8));
}

#[tokio::test]
async fn kit_10_a_service_that_is_not_ready_is_waited_for() {
    assert_eq!(Attempt::new(Double::new(3, None), 4).await, Ok(8));
}

#[tokio::test]
async fn kit_10_an_error_of_readiness_is_the_result() {
    assert_eq!(
        Attempt::new(Double::new(0, Some("at once")), 4).await,
        Err("at once")
    );
    assert_eq!(
        Attempt::new(Double::new(2, Some("later")), 4).await,
        Err("later")
    );
}
