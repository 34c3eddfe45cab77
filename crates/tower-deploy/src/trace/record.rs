//! The record of one request.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, response};

use super::seen::{Answer, Seen};

/// The trace of one request, in its extensions. A clone is the same trace.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    /// The parts that have the request now, each with the request as it saw it.
    within: Vec<Within>,
    /// The last response.
    answer: Option<Answer>,
}

struct Within {
    seen: Seen,
    /// Whether an inner part has responded.
    was_answered: bool,
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
                was_answered: false,
            });
        });
    }

    pub(super) fn leaves(&self, response: &response::Parts) {
        let answer = Answer::of(response);
        self.with(|inner| {
            let within = inner.within.pop();
            let status = answer.status;
            inner.say(0, format_args!("← {status}"));
            let before = inner.answer.take();
            let before = before.filter(|_| within.is_some_and(|within| within.was_answered));
            for change in answer.changes_since(before.as_ref()) {
                inner.say(2, change);
            }
            if let Some(outer) = inner.within.last_mut() {
                outer.was_answered = true;
            }
            inner.answer = Some(answer);
        });
    }

    /// Notes that a part was dropped before it responded.
    pub(super) fn drops(&self) {
        self.with(|inner| {
            inner.within.pop();
            inner.say(0, "× no answer");
        });
    }

    /// Replaces the last response. Its changes are noted elsewhere.
    pub(super) fn answers(&self, response: &response::Parts) {
        self.with(|inner| inner.answer = Some(Answer::of(response)));
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
