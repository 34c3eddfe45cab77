use std::{
    error::Error,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;

#[cfg(feature = "debug")]
use crate::debug::Rendering;
use crate::{
    BoxError, Incident, Phase,
    ending::Ending,
    guard::{Payload, catch, discard},
    incident::{self, Cause},
    watch::Watch,
};

pin_project! {
    /// The body of a response that went through [`Exception`](crate::Exception): the inner body
    /// under guard, or the text of an incident.
    ///
    /// A body that fails after its head was sent ends with its [`Incident`] as the error. The error
    /// makes the server break the response off: the connection is closed without the last chunk
    /// (HTTP/1), or the stream is reset (HTTP/2). So the client can distinguish the part from the
    /// whole.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full, StreamBody};
    /// use tower::{BoxError, Layer, ServiceExt, service_fn};
    /// use tower_exception::ExceptionLayer;
    /// # use http_body::Frame;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let app = ExceptionLayer::production(|_| {}).layer(service_fn(async |_: Request<()>| {
    ///     let start = Ok(Frame::data(Bytes::from("the start")));
    ///     let frames = [start, Err(std::io::Error::other("the disk is gone"))];
    ///     let body = StreamBody::new(futures_util::stream::iter(frames));
    ///     Ok::<_, BoxError>(Response::new(body))
    /// }));
    /// let body = app.oneshot(Request::new(())).await?.into_body();
    /// let incident = body.collect().await.unwrap_err();
    /// assert!(incident.is_head_sent());
    /// # Ok(())
    /// # }
    /// ```
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }

    impl<B> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if let KindProj::Inner { body, watch } = this.project().kind.project()
                && let Err(panic) = body.release()
            {
                watch.incident(Phase::Drop, true, panic);
            }
        }
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Inner {
            #[pin]
            body: Place<B>,
            watch: Watch,
        },
        Own { #[pin] body: Full<Bytes> },
        // The inner body has failed and is dropped, and its failure is reported.
        Aborted,
        // The same, and a text about the failure is being made.
        Appending { text: Appended, incident: Incident },
    }
}

#[cfg(feature = "debug")]
type Appended = Rendering<Bytes>;
#[cfg(not(feature = "debug"))]
type Appended = std::convert::Infallible;

pin_project! {
    // The place of the inner body.
    #[project = PlaceProj]
    pub(crate) enum Place<B> {
        Here { #[pin] body: B },
        Boxed { body: Pin<Box<ReadAhead<B>>> },
        Gone,
    }
}

pin_project! {
    // A body that was read before it had its place in the response.
    pub(crate) struct ReadAhead<B> {
        first: Option<Frame<Bytes>>,
        // A body may panic if it is polled after its end.
        ended: bool,
        ending: Ending,
        #[pin]
        body: B,
    }
}

impl<B> ReadAhead<B> {
    pub(crate) fn new(body: B) -> Self {
        Self {
            first: None,
            ended: false,
            ending: Ending::Break,
            body,
        }
    }
}

impl<B> ReadAhead<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    pub(crate) fn read_first(
        mut self: Pin<&mut Self>,
        ending: Ending,
        cx: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let this = self.as_mut().project();
        if let Poll::Ready(first) = poll_inner(this.body, cx)? {
            *this.ended = first.is_none();
            *this.first = first;
        }
        // A server that knows the length now reports it to the client. One that does not sends
        // chunks.
        if let Ok(None) = catch(|| self.size_hint().exact()) {
            *self.project().ending = ending;
        }
        Ok(())
    }

    fn next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Result<Poll<Option<Frame<Bytes>>>, Failure> {
        let this = self.project();
        let polled = match this.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None if *this.ended => Poll::Ready(None),
            None => poll_inner(this.body, cx)?,
        };
        match &polled {
            Poll::Ready(Some(frame)) => this.ending.follow(frame),
            Poll::Ready(None) => *this.ended = true,
            Poll::Pending => {}
        }
        Ok(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || (self.first.is_none() && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.ended {
            return SizeHint::with_exact(0);
        }
        let rest = self.body.size_hint();
        match self.first.as_ref().and_then(Frame::data_ref) {
            Some(first) => with_first(first.len() as u64, &rest),
            None => rest,
        }
    }
}

impl<B> Place<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Result<Poll<Option<Frame<Bytes>>>, Failure> {
        match self.project() {
            PlaceProj::Here { body } => poll_inner(body, cx),
            PlaceProj::Boxed { body } => body.as_mut().next(cx),
            PlaceProj::Gone => Ok(Poll::Ready(None)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Here { body } => body.is_end_stream(),
            Self::Boxed { body } => body.is_end_stream(),
            Self::Gone => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Here { body } => body.size_hint(),
            Self::Boxed { body } => body.size_hint(),
            Self::Gone => SizeHint::with_exact(0),
        }
    }
}

impl<B> Place<B> {
    /// Drops the body.
    fn release(mut self: Pin<&mut Self>) -> Result<(), Payload> {
        if !mem::needs_drop::<B>() {
            return Ok(());
        }
        catch(|| self.set(Self::Gone))
    }

    fn ending(&self) -> &Ending {
        match self {
            Self::Boxed { body } => &body.ending,
            Self::Here { .. } | Self::Gone => &Ending::Break,
        }
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B, watch: Watch) -> Self {
        let body = Place::Here { body };
        Self {
            kind: Kind::Inner { body, watch },
        }
    }

    pub(crate) fn read_ahead(body: Pin<Box<ReadAhead<B>>>, watch: Watch) -> Self {
        let body = Place::Boxed { body };
        Self {
            kind: Kind::Inner { body, watch },
        }
    }

    pub(crate) fn own(body: Full<Bytes>) -> Self {
        Self {
            kind: Kind::Own { body },
        }
    }
}

/// Returns an empty body. tower-http's layers for CORS and timeouts need it for responses of their
/// own.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::own(Full::default())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = Incident;

    #[cfg_attr(
        not(feature = "debug"),
        allow(clippy::never_loop, reason = "a frame follows a failure only in debug")
    )]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Incident>>> {
        let mut kind = self.project().kind;
        loop {
            let (mut body, watch) = match kind.as_mut().project() {
                KindProj::Own { body } => {
                    return body.poll_frame(cx).map_err(|never| match never {});
                }
                KindProj::Aborted => return Poll::Ready(None),
                #[cfg(feature = "debug")]
                KindProj::Appending { text, incident } => {
                    let text = std::task::ready!(text.poll(cx));
                    let incident = incident.clone();
                    kind.set(Kind::Aborted);
                    return Poll::Ready(Some(match text {
                        Some(text) => Ok(Frame::data(text)),
                        None => Err(incident),
                    }));
                }
                #[cfg(not(feature = "debug"))]
                KindProj::Appending { text, .. } => match *text {},
                KindProj::Inner { body, watch } => (body, watch),
            };
            let failure = match watch.take_broken() {
                Some(incident) => Failure::Reported(incident),
                None => match body.as_mut().next(cx) {
                    Ok(polled) => return polled.map(|frame| frame.map(Ok)),
                    Err(failure) => failure,
                },
            };
            let incident = match failure {
                Failure::Reported(incident) => incident,
                Failure::New(cause) => watch.incident(Phase::Body, true, cause),
            };
            let last = body.ending().last_frame(&incident);
            #[cfg(feature = "debug")]
            if let Ending::Text(markup) = body.ending()
                && let Some(debug) = watch.debug()
            {
                let text = debug.append(&incident, *markup);
                // Under guard: after a panic the body's `Drop` may panic too, which is the same
                // incident.
                let _ = catch(|| kind.set(Kind::Appending { text, incident }));
                continue;
            }
            let _ = catch(|| kind.set(Kind::Aborted));
            return Poll::Ready(Some(last.ok_or(incident)));
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body, watch } => hint(watch, || body.is_end_stream()),
            Kind::Own { body } => body.is_end_stream(),
            Kind::Aborted => true,
            Kind::Appending { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body, watch } => hint(watch, || body.size_hint()),
            Kind::Own { body } => body.size_hint(),
            Kind::Aborted => SizeHint::with_exact(0),
            Kind::Appending { .. } => SizeHint::default(),
        }
    }
}

/// Returns the size hint of a first frame of this length and of the rest together.
fn with_first(first: u64, rest: &SizeHint) -> SizeHint {
    let mut hint = SizeHint::new();
    if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(first)) {
        hint.set_upper(upper);
    }
    hint.set_lower(
        rest.lower()
            .saturating_add(first)
            .min(hint.upper().unwrap_or(u64::MAX)),
    );
    hint
}

/// The failure of a body or a future.
pub(crate) enum Failure {
    /// An inner layer has reported it.
    Reported(Incident),
    New(Cause),
}

/// Polls the inner body for a frame, under guard.
pub(crate) fn poll_inner<B>(
    body: Pin<&mut B>,
    cx: &mut Context<'_>,
) -> Result<Poll<Option<Frame<Bytes>>>, Failure>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    match catch(|| body.poll_frame(cx).map_err(Into::into)) {
        Ok(Poll::Pending) => Ok(Poll::Pending),
        Ok(Poll::Ready(None)) => Ok(Poll::Ready(None)),
        Ok(Poll::Ready(Some(Ok(frame)))) => Ok(Poll::Ready(Some(frame))),
        Ok(Poll::Ready(Some(Err(error)))) => Err(Failure::of(error)),
        Err(panic) => Err(Failure::New(panic.into())),
    }
}

/// Returns a hint of a body, or the default if it panics. In that case the next frame is the
/// incident.
fn hint<T: Default>(watch: &Watch, hint: impl FnOnce() -> T) -> T {
    catch(hint).unwrap_or_else(|panic| {
        watch
            .broken()
            .get_or_init(|| watch.incident(Phase::Body, true, panic));
        T::default()
    })
}

impl Failure {
    pub(crate) fn of(error: BoxError) -> Self {
        // The sources of an error are user code.
        match catch(|| reported(&*error)) {
            Ok(Some(incident)) => {
                discard(error);
                Self::Reported(incident)
            }
            Ok(None) => Self::New(error.into()),
            Err(panic) => {
                let cause = panic.into();
                discard(error);
                Self::New(cause)
            }
        }
    }
}

/// Returns the incident that an inner layer has made and reported.
fn reported(error: &(dyn Error + 'static)) -> Option<Incident> {
    incident::chain(error).find_map(|error| error.downcast_ref().cloned())
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Inner { .. } => "inner",
            Kind::Own { .. } => "own",
            Kind::Aborted => "aborted",
            Kind::Appending { .. } => "appending",
        };
        f.debug_tuple("ResponseBody").field(&kind).finish()
    }
}
