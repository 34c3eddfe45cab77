//! Running other people's code without being torn down by it.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs `f`; a panic in it becomes its message.
///
/// What `f` borrows may be left half changed by a panic. Callers drop it, or replace it, and use it for
/// nothing else.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(message)
}

/// Drops a value whose `Drop` may panic.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // Whoever panics in `Drop` may do so again when this is dropped: rust-lang/rust#86027.
        mem::forget(panic);
    }
}

fn message(mut payload: Box<dyn Any + Send>) -> String {
    let message = if let Some(text) = payload.downcast_mut::<String>() {
        mem::take(text)
    } else if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else {
        "(a panic whose payload is not text)".to_owned()
    };
    discard(payload);
    message
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
    fn a_panic_becomes_its_message() {
        assert_eq!(catch(|| 3), Ok(3));
        assert_eq!(catch(|| panic!("text")), Err::<(), _>("text".to_owned()));
        assert_eq!(
            catch(|| panic!("number {}", 3)),
            Err::<(), _>("number 3".to_owned())
        );
        let other = Err("(a panic whose payload is not text)".to_owned());
        assert_eq!(catch(|| panic_any(3)), other);
        assert_eq!(catch(|| panic_any(Bomb(3))), other);
    }

    #[test]
    fn a_panic_in_drop_does_not_leave_discard() {
        discard(Bomb(0));
        discard(Bomb(3));
    }
}
