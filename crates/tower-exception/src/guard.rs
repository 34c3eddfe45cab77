//! A guard that runs user code without unwinding past it.

pub(crate) use tower_kit::guard::{Payload, discard};

use crate::{backtrace::Trace, hook};

/// A panic that was caught.
pub(crate) struct Panic {
    pub(crate) message: String,
    /// Present if the panic hook is installed.
    pub(crate) trace: Option<Trace>,
}

/// Runs a function, see [`tower_kit::guard::catch`]. The caller makes a [`Panic`] of the payload
/// before other code runs under the guard.
///
/// It is not made here, so that the result is not moved once more.
#[inline]
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Payload> {
    hook::forget();
    tower_kit::guard::catch(f)
}

impl From<Payload> for Panic {
    #[cold]
    fn from(payload: Payload) -> Self {
        let (message, trace) = hook::look_up(payload.value());
        Self {
            message: message.unwrap_or_else(|| "(a panic whose payload is not text)".to_owned()),
            trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    #[test]
    fn exception_1_a_panic_has_its_message() {
        fn message(f: impl FnOnce()) -> Option<String> {
            catch(f).err().map(|payload| Panic::from(payload).message)
        }
        assert_eq!(message(|| ()), None);
        assert_eq!(message(|| panic!("text")).unwrap(), "text");
        assert_eq!(message(|| panic!("number {}", 3)).unwrap(), "number 3");
        let other = "(a panic whose payload is not text)";
        assert_eq!(message(|| panic_any(3)).unwrap(), other);
    }
}
