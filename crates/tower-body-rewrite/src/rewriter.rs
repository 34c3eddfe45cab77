//! What a rewriter is.

use bytes::Bytes;

use crate::{Sink, Tag};

/// Turns the bytes of one response body into other bytes.
///
/// The result must not depend on how the body is cut into chunks. A rewriter may hold back the bytes
/// whose fate the next chunk decides, and nothing else: whoever reads the body is waiting.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, header::CONTENT_TYPE};
/// use http_body_util::{BodyExt, Full};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_body_rewrite::{RewriteLayer, Rewriter, Sink, Tag};
///
/// /// Line feeds for CR LF.
/// #[derive(Clone, Default)]
/// struct Unix {
///     /// A CR was the last byte; what it becomes the next one decides.
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
///     // Without it, a CR would be missing from what came before an error.
///     fn abandon(&mut self, out: &mut Sink) {
///         self.finish(out);
///     }
///
///     // Without it, the response's `ETag` would be removed.
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
    /// A frame of the body begins, whose bytes follow in one chunk or in several; in none if it is empty. What
    /// is a frame is an accident of how the body is made and sent, so there is seldom anything to do here.
    fn begin_frame(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// Takes the next bytes of the body, never an empty chunk and never more than 64 KiB of a frame at once, and writes what
    /// becomes of them.
    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink);

    /// The body has ended well: writes what was held back, and a footer if there is one.
    fn finish(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// The body has failed: writes what was held back and nothing else. The error follows.
    fn abandon(&mut self, out: &mut Sink) {
        let _ = out;
    }

    /// What tells this rewriting from every other one. With it a rewritten response keeps its `ETag`, made weak and with the
    /// tag mixed in, and is confirmed by 304; without it, which is the default, the `ETag` is removed.
    ///
    /// Asked before the first chunk.
    fn tag(&self) -> Option<Tag> {
        None
    }

    /// At most how many bytes are copied to the output for each byte that is taken. A large frame is cut into pieces accordingly, so that a
    /// little of it is rewritten at a time. Default: 16.
    ///
    /// Asked before the first chunk.
    fn growth(&self) -> usize {
        16
    }

    /// How many bytes become of a body of so many, if that does not depend on which they are. It is then
    /// promised in `Content-Length`. Default: nobody knows.
    ///
    /// Asked before the first chunk.
    fn new_length(&self, length: u64) -> Option<u64> {
        let _ = length;
        None
    }
}
