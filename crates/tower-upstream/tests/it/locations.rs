//! References of an upstream to itself.

use http::Request;
use tower::Layer;
use tower_environ::MountLayer;
use tower_upstream::{HostPolicy, Upstream};

use super::{Body, ask, at, boxed, sockets::Listener, watched};

/// Returns the `Location`, the `Refresh` and the cookie that a client gets below the mount `/shop`.
async fn seen(
    path: &str,
    options: impl FnOnce(Upstream) -> Upstream,
    location: &str,
) -> [String; 3] {
    let listener = Listener::bind().await;
    let own = listener.to_string();
    let location = location.replace("OWN", &own);
    let app = watched(options(at(format!("{listener}{path}"))));
    let app = boxed(MountLayer::new("/shop").unwrap().layer(app));
    let head = format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\nrefresh: 1; url={location}\r\nset-cookie: a=b; Path=/base\r\ncontent-length: 0\r\n\r\n"
    );
    let request = Request::get("/shop/x").header("host", "client.example");
    let request = request.body(Body::default()).unwrap();
    let (response, _) = tokio::join!(ask(&app, request), listener.answers(&head));
    ["location", "refresh", "set-cookie"].map(|name| {
        let value = response.headers()[name].to_str().unwrap();
        value.replace(&own, "OWN")
    })
}

#[tokio::test]
async fn upstream_31_references_are_mapped_on_demand() {
    for location in ["/base/y?q", "OWN/base/y?q"] {
        let [location, refresh, cookie] = seen("/base", Upstream::map_locations, location).await;
        assert_eq!(location, "/shop/y?q");
        assert_eq!(refresh, "1; url=/shop/y?q");
        assert_eq!(cookie, "a=b; Path=/shop");
    }
    for location in ["/base/y", "OWN/base/y"] {
        let plain = seen("/base", |upstream| upstream, location).await;
        let refresh = format!("1; url={location}");
        assert_eq!(plain, [location, &refresh, "a=b; Path=/base"]);
    }
    for location in ["http://other/base/y", "//other/base/y", "y", "/other"] {
        let [same, ..] = seen("/base", Upstream::map_locations, location).await;
        assert_eq!(same, location);
    }
}

#[tokio::test]
async fn upstream_31_the_host_that_was_sent_is_the_upstreams() {
    let options = |upstream: Upstream| upstream.map_locations().host(HostPolicy::Client);
    let [location, ..] = seen("", options, "http://client.example/y").await;
    assert_eq!(location, "/shop/y");
    let [location, ..] = seen("", options, "https://client.example/y").await;
    assert_eq!(location, "https://client.example/shop/y");
}
