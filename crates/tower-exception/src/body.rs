use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use crate::{Aborted, BoxError, Phase, guard::catch, incident::Cause, layer::Watch};

pin_project! {
    /// The body of a response that went through [`Exception`](crate::Exception): the inner one, under guard, or
    /// the text of an incident.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Inner { #[pin] body: B, watch: Watch },
        Own { #[pin] body: Full<Bytes> },
        // The inner body has failed and is gone.
        Aborted,
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B, watch: Watch) -> Self {
        Self {
            kind: Kind::Inner { body, watch },
        }
    }

    pub(crate) fn own(body: Bytes) -> Self {
        Self {
            kind: Kind::Own { body: body.into() },
        }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let mut kind = self.project().kind;
        let incident = match kind.as_mut().project() {
            KindProj::Own { body } => return body.poll_frame(cx).map_err(|never| match never {}),
            KindProj::Aborted => return Poll::Ready(None),
            KindProj::Inner { body, watch } => {
                let cause = match catch(|| body.poll_frame(cx)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(None)) => return Poll::Ready(None),
                    Ok(Poll::Ready(Some(Ok(frame)))) => return Poll::Ready(Some(Ok(frame))),
                    Ok(Poll::Ready(Some(Err(error)))) => Cause::Error(error.into()),
                    Err(panic) => Cause::Panic(panic),
                };
                watch.incident(Phase::Body, cause)
            }
        };
        // Under guard: after a panic the body's `Drop` may well panic too.
        let _ = catch(|| kind.set(Kind::Aborted));
        Poll::Ready(Some(Err(Aborted { incident })))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body, .. } => body.is_end_stream(),
            Kind::Own { body } => body.is_end_stream(),
            Kind::Aborted => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body, .. } => body.size_hint(),
            Kind::Own { body } => body.size_hint(),
            Kind::Aborted => SizeHint::with_exact(0),
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Inner { .. } => "inner",
            Kind::Own { .. } => "own",
            Kind::Aborted => "aborted",
        };
        f.debug_tuple("ResponseBody").field(&kind).finish()
    }
}
