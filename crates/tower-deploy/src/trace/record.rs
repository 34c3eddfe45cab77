//! The record of one request.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, response};

use super::seen::{Seen, SeenResponse};

/// The trace of one request, in its extensions. A clone is the same trace.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    /// The parts that have the request now, each with the request as it saw it.
    within: Vec<Within>,
    /// The last response.
    last: Option<SeenResponse>,
}

struct Within {
    seen: Seen,
    /// Whether an inner part has responded.
    has_response: bool,
}

impl Inner {
    fn say(&mut self, indent: usize, line: impl fmt::Display) {
        let depth = self.within.len() * 2 + indent;
        self.lines.push(format!("{:depth$}{line}", ""));
    }
}

impl Trace {
    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn enters<B>(&self, part: &str, request: &Request<B>) {
        let seen = Seen::of(request);
        self.with(|inner| {
            if let Some(outer) = inner.within.last() {
                for change in seen.changes_since(&outer.seen) {
                    inner.say(2, change);
                }
            }
            let (method, target) = (&seen.method, &seen.target);
            inner.say(0, format_args!("→ {part}: {method} {target}"));
            inner.within.push(Within {
                seen,
                has_response: false,
            });
        });
    }

    pub(super) fn leaves(&self, response: &response::Parts) {
        let seen = SeenResponse::of(response);
        self.with(|inner| {
            let within = inner.within.pop();
            let status = seen.status;
            inner.say(0, format_args!("← {status}"));
            let before = inner.last.take();
            let before = before.filter(|_| within.is_some_and(|within| within.has_response));
            for change in seen.changes_since(before.as_ref()) {
                inner.say(2, change);
            }
            if let Some(outer) = inner.within.last_mut() {
                outer.has_response = true;
            }
            inner.last = Some(seen);
        });
    }

    /// Notes that a part was dropped before it responded.
    pub(super) fn drops(&self) {
        self.with(|inner| {
            inner.within.pop();
            inner.say(0, "× no response");
        });
    }

    /// Replaces the last response. Its changes are noted elsewhere.
    pub(super) fn responds(&self, response: &response::Parts) {
        self.with(|inner| inner.last = Some(SeenResponse::of(response)));
    }

    pub(super) fn notes(&self, note: impl fmt::Display) {
        self.with(|inner| inner.say(2, note));
    }
}

/// Writes a line for each step. Inner parts are indented more.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|inner| {
            for line in &inner.lines {
                writeln!(f, "{line}")?;
            }
            Ok(())
        })
    }
}
