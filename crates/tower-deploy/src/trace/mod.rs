//! What each part of a stack did with one request, for `tower-deploy request --trace`: every part is wrapped, and what it did to the request is how
//! that reaches the next part, what it did to the response how that differs from the next part's. Parts that have a request side by side, as nothing built in
//! makes them, are shown within one another.

mod seen;
mod wrap;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, response};

use seen::{Answer, Seen};
pub(crate) use wrap::{app, hook};

/// The trace of one request, in its extensions. Clones are the same trace.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    /// The parts that have the request now, with what they saw.
    within: Vec<Within>,
    /// What was answered last.
    answer: Option<Answer>,
}

struct Within {
    seen: Seen,
    /// Whether a part further in has answered.
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

    fn enters<B>(&self, part: &str, request: &Request<B>) {
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

    fn leaves(&self, response: &response::Parts) {
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

    /// A part was given up before it answered.
    fn drops(&self) {
        self.with(|inner| {
            inner.within.pop();
            inner.say(0, "× no answer");
        });
    }

    /// The answer is this now, and how it came about is noted.
    fn answers(&self, response: &response::Parts) {
        self.with(|inner| inner.answer = Some(Answer::of(response)));
    }

    fn notes(&self, note: impl fmt::Display) {
        self.with(|inner| inner.say(2, note));
    }
}

/// A line for each thing that was done, further in further to the right.
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
