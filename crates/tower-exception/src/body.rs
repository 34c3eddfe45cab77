use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

use crate::{
    Aborted, BoxError, Incident, Phase,
    guard::catch,
    incident::{self, Cause},
    layer::Watch,
};

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
        Inner {
            #[pin]
            body: B,
            watch: Watch,
            // What a hint of the body has done. There, nobody can be told.
            broken: OnceLock<Incident>,
        },
        Own { #[pin] body: Full<Bytes> },
        // The inner body has failed and is gone.
        Aborted,
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B, watch: Watch) -> Self {
        Self {
            kind: Kind::Inner {
                body,
                watch,
                broken: OnceLock::new(),
            },
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
            KindProj::Inner {
                body,
                watch,
                broken,
            } => match broken.take() {
                Some(incident) => incident,
                None => match catch(|| body.poll_frame(cx).map_err(Into::into)) {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(None)) => return Poll::Ready(None),
                    Ok(Poll::Ready(Some(Ok(frame)))) => return Poll::Ready(Some(Ok(frame))),
                    Ok(Poll::Ready(Some(Err(error)))) => match aborted(&*error) {
                        Some(aborted) => aborted.incident.clone(),
                        None => watch.incident(Phase::Body, Cause::Error(error)),
                    },
                    Err(panic) => watch.incident(Phase::Body, Cause::Panic(panic)),
                },
            },
        };
        // Under guard: after a panic the body's `Drop` may well panic too.
        let _ = catch(|| kind.set(Kind::Aborted));
        Poll::Ready(Some(Err(Aborted { incident })))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner {
                body,
                watch,
                broken,
            } => hint(watch, broken, || body.is_end_stream()),
            Kind::Own { body } => body.is_end_stream(),
            Kind::Aborted => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner {
                body,
                watch,
                broken,
            } => hint(watch, broken, || body.size_hint()),
            Kind::Own { body } => body.size_hint(),
            Kind::Aborted => SizeHint::with_exact(0),
        }
    }
}

/// What a body says of itself, or what says nothing if it panics. Then the next frame is the incident.
fn hint<T: Default>(watch: &Watch, broken: &OnceLock<Incident>, say: impl FnOnce() -> T) -> T {
    catch(say).unwrap_or_else(|panic| {
        broken.get_or_init(|| watch.incident(Phase::Body, Cause::Panic(panic)));
        T::default()
    })
}

/// The incident of a layer further in, which has told of it already.
fn aborted<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Aborted> {
    incident::chain(error).find_map(|error| error.downcast_ref())
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
