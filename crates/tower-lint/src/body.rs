use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{Request, Response, response::Parts};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    LintLayer, Rule,
    head::{self, Asked},
};

pin_project! {
    /// The body of a response that went through [`Lint`](crate::Lint).
    pub struct LintBody<B> {
        #[pin]
        inner: B,
        ledger: Ledger,
    }
}

/// The promises of a body, and its frames so far.
#[derive(Debug)]
struct Ledger {
    layer: LintLayer,
    asked: Asked,
    /// The rule that any content breaks.
    forbids_content: Option<Rule>,
    content_length: Option<u64>,
    /// The number of bytes that Content-Range promises.
    content_range: Option<u64>,
    given: u64,
    /// The strictest bounds on the total of its size hints.
    at_least: u64,
    at_most: u64,
    /// Whether it reported that it is at its end.
    reported_end: bool,
    trailers: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    Ended,
    Failed,
}

/// Returns the body of a layer that responds itself. It has no promises and is not checked.
impl<B: Body + Default> Default for LintBody<B> {
    fn default() -> Self {
        let (parts, ()) = Response::new(()).into_parts();
        let silent = LintLayer::new().report(|_| {});
        Self::new(B::default(), Asked::of(&Request::new(())), &parts, silent)
    }
}

impl<B: Body> LintBody<B> {
    pub(crate) fn new(inner: B, asked: Asked, response: &Parts, layer: LintLayer) -> Self {
        let mut ledger = Ledger {
            forbids_content: layer.forbids_content(&asked, response.status),
            content_length: head::content_length(&asked, response),
            content_range: head::content_range(&asked, response),
            layer,
            asked,
            given: 0,
            at_least: 0,
            at_most: u64::MAX,
            reported_end: false,
            trailers: false,
            state: State::Open,
        };
        ledger.record_hints(&inner);
        // The body of a client's response to HEAD over HTTP/2 has GET's length as its hint, and is
        // at its end.
        if let Some(rule) = ledger.forbids_content
            && ledger.at_least > 0
            && !ledger.reported_end
        {
            let least = ledger.at_least;
            ledger.violation(rule, format!("a body of at least {least} bytes"));
        }
        Self { inner, ledger }
    }
}

impl<B: Body> Body for LintBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let ledger = this.ledger;
        if ledger.state == State::Failed {
            ledger.violation(
                Rule::BodyPolledAfterEnd,
                "it was polled after it had failed",
            );
        }
        if ledger.state == State::Open {
            ledger.record_hints(&*this.inner);
        }
        let poll = match ledger.state {
            State::Ended => poll_after_end(this.inner.as_mut(), cx, ledger),
            _ => this.inner.as_mut().poll_frame(cx),
        };
        let frame = ready!(poll);
        match &frame {
            Some(Ok(frame)) => ledger.frame(frame),
            Some(Err(_)) => ledger.state = State::Failed,
            None => ledger.end(),
        }
        // A reader may stop here.
        if let Some(Ok(_)) = frame {
            ledger.record_hints(&*this.inner);
            if ledger.reported_end {
                ledger.total();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Polls a body that has ended. It should report its end again.
fn poll_after_end<B: Body>(
    inner: Pin<&mut B>,
    cx: &mut Context<'_>,
    ledger: &Ledger,
) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    let poll = catch_unwind(AssertUnwindSafe(|| inner.poll_frame(cx))).unwrap_or_else(|panic| {
        ledger.violation(Rule::FrameAfterEnd, "it panicked after its end");
        resume_unwind(panic)
    });
    match &poll {
        Poll::Pending => ledger.violation(Rule::FrameAfterEnd, "it waits after its end"),
        Poll::Ready(Some(Err(_))) => {
            ledger.violation(Rule::FrameAfterEnd, "it failed after its end");
        }
        Poll::Ready(_) => {}
    }
    poll
}

impl Ledger {
    fn violation(&self, rule: Rule, seen: impl fmt::Display) {
        let seen = format!("the body of the response to {}: {seen}", self.asked);
        self.layer.violation(rule, seen);
    }

    /// Records the body's hints about the frames to come.
    fn record_hints<B: Body>(&mut self, body: &B) {
        self.reported_end = body.is_end_stream();
        // A `SizeHint` panics if its lower bound is set above its upper bound.
        let Ok(hint) = catch_unwind(AssertUnwindSafe(|| body.size_hint())) else {
            return self.violation(Rule::SizeHintOrder, "size_hint panicked");
        };
        self.at_least = self.at_least.max(self.given.saturating_add(hint.lower()));
        if let Some(upper) = hint.upper() {
            self.at_most = self.at_most.min(self.given.saturating_add(upper));
        }
        if self.at_least > self.at_most {
            let (least, most) = (self.at_least, self.at_most);
            let seen = format!("its hints are at least {least} bytes and at most {most}");
            self.violation(Rule::SizeHintWrong, seen);
            (self.at_least, self.at_most) = (0, u64::MAX);
        }
    }

    fn frame<D: Buf>(&mut self, frame: &Frame<D>) {
        let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        self.given = self.given.saturating_add(length);
        let what = if frame.is_trailers() {
            "trailers".to_owned()
        } else {
            format!("a frame of {length} bytes")
        };
        if self.state == State::Ended {
            self.violation(Rule::FrameAfterEnd, format!("{what} came after the end"));
        } else if self.reported_end {
            self.violation(
                Rule::EndStreamWrong,
                format!("{what} came although is_end_stream was true"),
            );
        }
        if self.trailers {
            self.violation(
                Rule::FrameAfterTrailers,
                format!("{what} came after trailers"),
            );
        }
        self.trailers |= frame.is_trailers();
        if let Some(rule) = self.forbids_content.filter(|_| length > 0) {
            self.violation(rule, &what);
        }
        let given = self.given;
        if given > self.at_most {
            let most = self.at_most;
            let seen = format!("its hint was at most {most} bytes, it has {given}");
            self.violation(Rule::SizeHintWrong, seen);
            self.at_most = u64::MAX;
        }
        if let Some(length) = self.content_length.filter(|length| given > *length) {
            let seen = format!("Content-Length is {length}, it has {given} bytes");
            self.violation(Rule::ContentLengthWrong, seen);
            self.content_length = None;
        }
        if let Some(length) = self.content_range.filter(|length| given > *length) {
            let seen = format!("Content-Range is {length} bytes long, it has {given} bytes");
            self.violation(Rule::ContentRangeWrong, seen);
            self.content_range = None;
        }
    }

    fn end(&mut self) {
        if self.state == State::Open {
            self.total();
        }
        self.state = State::Ended;
    }

    /// Compares the number of bytes with the promises, once.
    fn total(&mut self) {
        let given = self.given;
        if given < self.at_least {
            let least = self.at_least;
            let seen = format!("its hint was at least {least} bytes, it ended after {given}");
            self.violation(Rule::SizeHintWrong, seen);
        }
        self.at_least = 0;
        if let Some(length) = self.content_length.take().filter(|length| given < *length) {
            let seen = format!("Content-Length is {length}, it ended after {given} bytes");
            self.violation(Rule::ContentLengthWrong, seen);
        }
        if let Some(length) = self.content_range.take().filter(|length| given < *length) {
            let seen = format!("Content-Range is {length} bytes long, it ended after {given}");
            self.violation(Rule::ContentRangeWrong, seen);
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for LintBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LintBody")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
