//! The defaults of the layers, as documented.

use std::{error::Error, fmt};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{BoxError, Layer, ServiceExt, service_fn};
#[cfg(feature = "debug")]
use tower_exception::DebugPage;
use tower_exception::{ExceptionLayer, Incident, Phase};

use crate::probe::{keeping, reason};

/// Returns the incident of this error.
async fn incident(layer: ExceptionLayer, error: impl Fn() -> BoxError + Clone) -> Incident {
    let app = layer.layer(service_fn(move |_: Request<()>| {
        std::future::ready(Err::<Response<Full<Bytes>>, BoxError>(error()))
    }));
    let request = Request::get("/").header("host", "localhost");
    let response = app.oneshot(request.body(()).unwrap()).await.unwrap();
    reason(&response)
}

#[tokio::test]
async fn exception_9_production_keeps_no_headers_by_default() {
    let (layer, _) = keeping();
    let found = incident(layer.clone(), || "broken".into()).await;
    assert_eq!(found.headers(), None);
    assert_eq!(
        (found.status().as_u16(), found.phase()),
        (500, Phase::Future)
    );
    let found = incident(layer.headers(), || "broken".into()).await;
    assert_eq!(found.headers().unwrap().len(), 1);
}

/// A link of a chain of errors.
#[derive(Debug)]
struct Link(Box<Option<Link>>);

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a link")
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some((*self.0).as_ref()?)
    }
}

#[tokio::test]
async fn exception_22_a_chain_has_at_most_32_errors() {
    let chain = |links: usize| {
        move || -> BoxError {
            let first = Link(Box::new(None));
            Box::new((1..links).fold(first, |link, _| Link(Box::new(Some(link)))))
        }
    };
    for (links, shown) in [(1, 1), (31, 31), (32, 32), (33, 32), (100, 32)] {
        let (layer, _) = keeping();
        let found = incident(layer, chain(links)).await;
        assert_eq!(found.chain().count(), shown);
    }
}

#[cfg(feature = "debug")]
#[tokio::test]
async fn exception_14_debug_shows_the_page_to_localhost() {
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    let options = || DebugPage::new(move |_| Some(here));
    let layer = |options| ExceptionLayer::debug(|_| {}, options);
    let found = incident(layer(options()), || "broken".into()).await;
    assert_eq!(found.headers().unwrap().len(), 1);
    // Not forced, without other names, and without appended text.
    let shown = async |options: DebugPage, host: &str| {
        let app = layer(options).layer(service_fn(|_: Request<()>| async {
            let fail = true;
            assert!(!fail, "the sky is falling");
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
        }));
        let request = Request::get("/").header("host", host).body(()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        response.headers().contains_key("x-frame-options")
    };
    assert_eq!(shown(options(), "localhost").await, cfg!(debug_assertions));
    assert!(shown(options().force(), "localhost").await);
    assert!(!shown(options().force(), "dev.example").await);
    let named = options().force().hosts(["dev.example"]);
    assert!(shown(named.clone(), "dev.example").await);
    // Names are added.
    let both = named.hosts(["test.example"]);
    assert!(shown(both.clone(), "test.example").await);
    assert!(shown(both, "dev.example").await);
}
