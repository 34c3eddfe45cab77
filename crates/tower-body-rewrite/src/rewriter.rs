//! The trait of rewriters.

use bytes::Bytes;

use crate::{Sink, Tag};

/// A trait for rewriters. A rewriter turns the bytes of one response body into other bytes.
///
/// The result must not depend on how the body is cut into chunks. A rewriter holds back only bytes
/// that depend on the next chunk, because the client is waiting.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, header::CONTENT_TYPE};
/// use http_body_util::{BodyExt, Full};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_body_rewrite::{RewriteLayer, Rewriter, Sink, Tag};
///
/// /// Replaces CR LF by LF.
/// #[derive(Clone, Default)]
/// struct Unix {
///     /// The last byte was a CR, and the next byte decides about it.
///     held: bool,
/// }
///
/// impl Rewriter for Unix {
///     fn rewrite(&mut self, chunk: Bytes, out: &mut Sink) {
///         for byte in chunk {
///             if std::mem::take(&mut self.held) && byte != b'\n' {
///                 out.put(b"\r");
///             }
///             match byte {
///                 b'\r' => self.held = true,
///                 _ => out.put(&[byte]),
///             }
///         }
///     }
///
///     fn finish(&mut self, out: &mut Sink) {
///         if self.held {
///             out.put(b"\r");
///         }
///     }
///
///     // Without this, a CR before an error would be missing.
///     fn abandon(&mut self, out: &mut Sink) {
///         self.finish(out);
///     }
///
///     // Without this, the response's `ETag` would be removed.
///     fn tag(&self) -> Option<Tag> {
///         Some(Tag::of([&b"unix"[..]]))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let app = service_fn(async |_: Request<()>| {
///     Response::builder().header(CONTENT_TYPE, "text/plain").body(Full::from("one\r\ntwo\r\r\n"))
/// });
/// let app = RewriteLayer::new(|_| Some(Unix::default())).layer(app);
/// let body = app.oneshot(Request::new(())).await?.into_body();
/// assert_eq!(body.collect().await?.to_bytes(), "one\ntwo\r\n");
/// # Ok(())
/// # }
/// ```
pub trait Rewriter {
    /// Begins a frame of the body. By default it does nothing.
    ///
    /// The bytes of the frame follow in one or more chunks, or in none if it is empty. Few
    /// rewriters need it, because the boundaries of frames have no meaning in HTTP.
    fn begin_frame(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// Rewrites the next bytes of the body. A chunk is never empty, and has at most 64 KiB.
    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink);

    /// Finishes a body that has ended without an error: writes the bytes that were held back, and a
    /// footer if there is one. By default it does nothing.
    fn finish(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// Abandons a body that has failed: writes the bytes that were held back, and nothing else. The
    /// error follows. By default it does nothing.
    fn abandon(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// Returns a tag that identifies this rewriting. By default there is none.
    ///
    /// With a tag, a rewritten response keeps its `ETag`, made weak and with the tag mixed in, and
    /// a 304 can confirm it. Without a tag, the `ETag` is removed.
    ///
    /// It is called before the first chunk.
    fn tag(&self) -> Option<Tag> {
        None
    }

    /// Returns how many bytes are copied to the output for each byte of input, at most. By default
    /// it is 16.
    ///
    /// A large frame is cut into pieces accordingly, so that only a small part of it is rewritten
    /// at a time. It is called before the first chunk.
    fn growth(&self) -> usize {
        16
    }

    /// Returns the length of the new body for a body of this length, if it does not depend on the
    /// bytes. It becomes the `Content-Length`. By default it is `None`, for an unknown length.
    ///
    /// It is called before the first chunk.
    fn new_length(&self, length: u64) -> Option<u64> {
        let _ = length;
        None
    }
}
