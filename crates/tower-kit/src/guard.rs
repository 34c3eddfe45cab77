//! A guard that runs user code without unwinding past it.

use std::{
    any::Any,
    fmt,
    future::Future,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

/// The payload of a panic. Dropping it never panics, although its own `Drop` may.
///
/// ```
/// use tower_kit::guard::{catch, message};
///
/// let payload = catch(|| panic!("the sky is falling")).unwrap_err();
/// assert_eq!(message(payload.value()), Some("the sky is falling"));
/// ```
pub struct Payload(Option<Box<dyn Any + Send>>);

impl Payload {
    /// Returns the value that the panic was raised with. A panic with a message has a `&str` or a
    /// `String`.
    #[must_use]
    pub fn value(&self) -> &(dyn Any + Send) {
        self.0.as_deref().unwrap_or(&())
    }

    /// Resumes the panic, without another call of the panic hook.
    ///
    /// ```
    /// use tower_kit::guard::catch;
    ///
    /// let outer = catch(|| {
    ///     if let Err(payload) = catch(|| panic!("first")) {
    ///         payload.resume();
    ///     }
    /// });
    /// assert!(outer.is_err());
    /// ```
    pub fn resume(mut self) {
        if let Some(payload) = self.0.take() {
            resume_unwind(payload);
        }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take() {
            discard(payload);
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}

/// Runs a function. Returns the payload if it panics.
///
/// A panic may leave values that the function borrows half changed. Callers drop or replace them,
/// and do not use them otherwise.
///
/// ```
/// use tower_kit::guard::catch;
///
/// assert_eq!(catch(|| 7).ok(), Some(7));
/// assert!(catch(|| panic!("the sky is falling")).is_err());
/// ```
///
/// # Errors
///
/// Returns the payload of the panic.
#[inline]
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| Payload(Some(payload)))
}

/// Returns the message of a panic, if its payload is text.
///
/// ```
/// use tower_kit::guard::{catch, message};
///
/// let payload = catch(|| panic!("at {}", 7)).unwrap_err();
/// assert_eq!(message(payload.value()), Some("at 7"));
/// ```
#[must_use]
pub fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    match payload.downcast_ref::<String>() {
        Some(text) => Some(text),
        None => payload.downcast_ref::<&str>().copied(),
    }
}

/// Drops a value whose `Drop` may panic. The panic does not unwind further.
///
/// ```
/// use tower_kit::guard::discard;
///
/// struct Bomb;
///
/// impl Drop for Bomb {
///     fn drop(&mut self) {
///         panic!("dropped");
///     }
/// }
///
/// discard(Bomb);
/// ```
pub fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The payload may panic again when it is dropped (rust-lang/rust#86027).
        mem::forget(panic);
    }
}

pin_project! {
    /// A future that returns the payload if the inner future panics. It must not be polled again
    /// after that.
    ///
    /// ```
    /// use tower_kit::guard::{Catch, catch_future};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let future: Catch<_> = catch_future(async { panic!("the sky is falling") });
    /// assert!(future.await.is_err());
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct Catch<F> {
        #[pin]
        future: F,
    }
}

/// Returns a future that catches the panics of this one.
pub fn catch_future<F: Future>(future: F) -> Catch<F> {
    Catch { future }
}

impl<F: Future> Future for Catch<F> {
    type Output = Result<F::Output, Payload>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch(|| future.poll(cx)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics when it is dropped, with another one of its kind.
    struct Bomb(u8);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn kit_11_a_panic_is_caught_with_its_value() {
        assert_eq!(catch(|| 3).unwrap(), 3);
        let payload = catch(|| panic_any(3)).unwrap_err();
        assert_eq!(payload.value().downcast_ref(), Some(&3));
        let payload = catch(|| panic!("a message")).unwrap_err();
        assert_eq!(payload.value().downcast_ref(), Some(&"a message"));
    }

    #[test]
    fn kit_11_a_message_is_the_text_of_a_payload() {
        assert_eq!(message(&"text"), Some("text"));
        assert_eq!(message(&"text".to_owned()), Some("text"));
        assert_eq!(message(&1), None);
    }

    #[test]
    fn kit_11_a_panic_in_drop_does_not_leave_the_guard() {
        discard(Bomb(0));
        discard(Bomb(3));
        drop(catch(|| panic_any(Bomb(3))).unwrap_err());
    }

    #[test]
    fn kit_11_a_resumed_panic_continues_with_the_same_value() {
        let payload = catch(|| panic_any(7)).unwrap_err();
        let again = catch(|| payload.resume()).unwrap_err();
        assert_eq!(again.value().downcast_ref(), Some(&7));
    }

    #[tokio::test]
    async fn kit_11_a_future_that_panics_is_a_result() {
        assert_eq!(catch_future(async { 3 }).await.unwrap(), 3);
        let panics = catch_future(async {
            tokio::task::yield_now().await;
            panic_any(3);
        });
        let payload: Payload = panics.await.unwrap_err();
        assert_eq!(payload.value().downcast_ref(), Some(&3));
    }
}
