//! The previous panic hook is called too. The hook is one for the whole process, so this test has a
//! process of its own.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    convert::Infallible,
    panic,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{ExceptionLayer, Incident, install_panic_hook};

#[tokio::test]
async fn exception_18_the_previous_hook_is_called_once_per_panic() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    panic::set_hook(Box::new(|_| {
        CALLED.fetch_add(1, Ordering::SeqCst);
    }));
    install_panic_hook();
    install_panic_hook();

    let incidents: Arc<Mutex<Vec<Incident>>> = Arc::default();
    let keeps = incidents.clone();
    let layer = ExceptionLayer::production(move |incident| {
        keeps.lock().unwrap().push(incident.clone());
    });
    let app = layer.layer(service_fn(
        |_: Request<()>| -> std::future::Ready<Result<Response<Full<Bytes>>, Infallible>> {
            panic!("in call")
        },
    ));
    for round in 1..=3 {
        app.clone().oneshot(Request::new(())).await.unwrap();
        assert_eq!(CALLED.load(Ordering::SeqCst), round);
    }
    // A panic outside of all requests.
    assert!(panic::catch_unwind(|| panic!("elsewhere")).is_err());
    assert_eq!(CALLED.load(Ordering::SeqCst), 4);
    let incidents = incidents.lock().unwrap();
    assert_eq!(incidents.len(), 3);
    assert!(
        incidents
            .iter()
            .all(|incident| incident.location().is_some())
    );
}
