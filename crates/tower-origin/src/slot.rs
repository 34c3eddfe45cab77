use std::sync::{Arc, OnceLock};

use crate::Origin;

/// A place for the [`Origin`] of a request, for a server or an outer layer that logs the client.
///
/// It inserts a slot into the request's extensions and keeps a clone of it.
/// [`WithOrigin`](crate::WithOrigin) fills the slot. A response could not carry the origin, because
/// a client may leave before there is one.
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_origin::OriginSlot;
///
/// let slot = OriginSlot::default();
/// let mut request = Request::new(());
/// request.extensions_mut().insert(slot.clone());
/// // After the request has passed the layer:
/// let client = slot.get().and_then(|origin| origin.client());
/// # assert_eq!(client, None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct OriginSlot(Arc<OnceLock<Origin>>);

impl OriginSlot {
    /// Returns the origin, if the request has passed a layer that has found it.
    #[must_use]
    pub fn get(&self) -> Option<&Origin> {
        self.0.get()
    }

    /// Fills the slot. The first of several layers counts, because it is the outermost.
    pub(crate) fn fill(&self, origin: &Origin) {
        self.0.get_or_init(|| origin.clone());
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use http_body_util::Empty;
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::OriginLayer;

    #[tokio::test]
    async fn origin_17_the_outermost_layer_fills_the_slot() {
        let app = service_fn(async |_: Request<()>| {
            Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
        });
        let app = OriginLayer::new().https().layer(app);
        let app = OriginLayer::new().hosts(["a"]).unwrap().layer(app);
        for (host, scheme) in [("a", Some("http")), ("b", None)] {
            let slot = OriginSlot::default();
            let request = Request::get("/").header("host", host);
            let request = request.extension(slot.clone()).body(()).unwrap();
            app.clone().oneshot(request).await.unwrap();
            let found = slot.get().map(|origin| origin.scheme().as_str());
            assert_eq!(found, scheme, "{host}");
        }
    }
}
