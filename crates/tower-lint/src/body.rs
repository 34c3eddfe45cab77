use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
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

/// What a body has promised and what it has given.
#[derive(Debug)]
struct Ledger {
    layer: LintLayer,
    asked: Asked,
    /// The rule that any content breaks.
    forbids_content: Option<Rule>,
    content_length: Option<u64>,
    given: u64,
    /// The strictest bounds on the total that its size hints have drawn.
    at_least: u64,
    at_most: u64,
    /// It said that it was at its end.
    said_end: bool,
    trailers: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    Ended,
    Failed,
}

/// A body of a layer that answers by itself. Nothing was promised of it, and it is not watched.
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
            layer,
            asked,
            given: 0,
            at_least: 0,
            at_most: u64::MAX,
            said_end: false,
            trailers: false,
            state: State::Open,
        };
        ledger.hear(&inner);
        // A body that a client got for HEAD over HTTP/2 has GET's length as its hint, and is at its end.
        if let Some(rule) = ledger.forbids_content
            && ledger.at_least > 0
            && !ledger.said_end
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
            ledger.hear(&*this.inner);
        }
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => ledger.frame(frame),
            Some(Err(_)) => ledger.state = State::Failed,
            None => ledger.end(),
        }
        // A reader may leave it at that.
        if let Some(Ok(_)) = frame {
            ledger.hear(&*this.inner);
            if ledger.said_end {
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

impl Ledger {
    fn violation(&self, rule: Rule, seen: impl fmt::Display) {
        let seen = format!("the body of the answer to {}: {seen}", self.asked);
        self.layer.violation(rule, seen);
    }

    /// Takes down what the body says of what is still to come.
    fn hear<B: Body>(&mut self, body: &B) {
        self.said_end = body.is_end_stream();
        // A `SizeHint` that is put together in the wrong order panics.
        let Ok(hint) = catch_unwind(AssertUnwindSafe(|| body.size_hint())) else {
            return self.violation(Rule::SizeHintOrder, "size_hint panicked");
        };
        self.at_least = self.at_least.max(self.given.saturating_add(hint.lower()));
        if let Some(upper) = hint.upper() {
            self.at_most = self.at_most.min(self.given.saturating_add(upper));
        }
        if self.at_least > self.at_most {
            let (least, most) = (self.at_least, self.at_most);
            let seen = format!("its hints say at least {least} bytes and at most {most}");
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
        } else if self.said_end {
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
            let seen = format!("its hints said at most {most} bytes, it has given {given}");
            self.violation(Rule::SizeHintWrong, seen);
            self.at_most = u64::MAX;
        }
        if let Some(length) = self.content_length.filter(|length| given > *length) {
            let seen = format!("Content-Length is {length}, it has given {given} bytes");
            self.violation(Rule::ContentLengthWrong, seen);
            self.content_length = None;
        }
    }

    fn end(&mut self) {
        if self.state == State::Open {
            self.total();
        }
        self.state = State::Ended;
    }

    /// Holds what was given against what was promised; once, since the promises are kept then.
    fn total(&mut self) {
        let given = self.given;
        if given < self.at_least {
            let least = self.at_least;
            let seen = format!("its hints said at least {least} bytes, it ended after {given}");
            self.violation(Rule::SizeHintWrong, seen);
        }
        self.at_least = 0;
        if let Some(length) = self.content_length.take().filter(|length| given < *length) {
            let seen = format!("Content-Length is {length}, it ended after {given} bytes");
            self.violation(Rule::ContentLengthWrong, seen);
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
