//! The filters `origin` and `prefix` of PasteDeploy: clients behind proxies.

use std::net::{IpAddr, SocketAddr};

use http::Request;
use tower_deploy::Body;
use tower_origin::PeerAddr;

use super::{filters::filtered, send, wrong};

fn from(peer: &str, path: &str) -> Request<Body> {
    let mut request = Request::get(path).body(Body::default()).unwrap();
    let peer: IpAddr = peer.parse().unwrap();
    request
        .extensions_mut()
        .insert(PeerAddr(SocketAddr::new(peer, 9)));
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
    headers.insert("x-forwarded-proto", "https".parse().unwrap());
    request
}

#[tokio::test]
async fn deploy_32_only_trusted_peers_name_the_client() {
    let app = filtered("egg:tower#origin\ntrusted = 10.0.0.0/8", "egg:sees");
    let trusted = send(&app, from("10.1.1.1", "/x")).await;
    assert_eq!(
        trusted.body(),
        "  /x Some((\"https\", Some(192.0.2.7), \"\"))"
    );
    let another = send(&app, from("11.1.1.1", "/x")).await;
    assert_eq!(
        another.body(),
        "  /x Some((\"http\", Some(11.1.1.1), \"\"))"
    );
}

#[tokio::test]
async fn deploy_32_one_kind_of_forwarding_headers_may_be_chosen() {
    let both = || {
        let mut request = from("10.1.1.1", "/x");
        let forwarded = "for=198.51.100.3;proto=https".parse().unwrap();
        request.headers_mut().insert("forwarded", forwarded);
        request
    };
    for (only, client) in [
        ("only_forwarded = yes", "198.51.100.3"),
        ("only_x_forwarded = yes", "192.0.2.7"),
    ] {
        let app = filtered(
            &format!("egg:tower#origin\ntrusted = 10.0.0.0/8\n{only}"),
            "egg:sees",
        );
        let response = send(&app, both()).await;
        let body = String::from_utf8_lossy(response.body());
        assert!(body.contains(client), "{only}: {body}");
    }
    let app = filtered("egg:tower#origin\ntrusted = 10.0.0.0/8", "egg:sees");
    assert_eq!(send(&app, both()).await.status(), 400);

    let file = "[app:main]\nuse = egg:tower#panic\nfilter-with = it\n[filter:it]\n\
                use = egg:tower#origin\nonly_forwarded = yes\nonly_x_forwarded = yes\n";
    assert_eq!(
        wrong(file),
        "/site/main.ini:7:20: [filter:it] only_x_forwarded: `only_forwarded` and `only_x_forwarded` \
         exclude each other (take one of them out; without both, either header is read)"
    );
}

#[tokio::test]
async fn deploy_32_a_health_check_without_a_host_may_be_served() {
    let filter = "egg:tower#origin\nhosts = example.org";
    let ask = async |filter: &str, host: Option<&str>| {
        let app = filtered(filter, "egg:sees");
        let mut request = Request::get("/");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        super::ask(&app, request).await.status()
    };
    assert_eq!(ask(filter, None).await, 400);
    let filter = &format!("{filter}\ndefault_host = example.org");
    assert_eq!(ask(filter, None).await, 200);
    assert_eq!(ask(filter, Some("elsewhere.org")).await, 400);
}

#[tokio::test]
async fn deploy_33_the_prefix_is_stripped_or_not() {
    let app = filtered("egg:PasteDeploy#prefix\nprefix = /james/", "egg:sees");
    let stripped = send(&app, from("127.0.0.1", "/orders")).await;
    assert_eq!(
        stripped.body(),
        "  /orders Some((\"https\", Some(192.0.2.7), \"/james\"))"
    );
    let left = send(&app, from("127.0.0.1", "/james/orders")).await;
    assert_eq!(
        left.body(),
        " /james /orders Some((\"https\", Some(192.0.2.7), \"\"))"
    );
    let encoded = send(&app, from("127.0.0.1", "/%6aames/orders")).await;
    assert!(
        encoded.body().starts_with(b" /%6aames /orders "),
        "{encoded:?}"
    );
    let another = send(&app, from("192.0.2.1", "/jamestown")).await;
    assert_eq!(
        another.body(),
        "  /jamestown Some((\"http\", Some(192.0.2.1), \"/james\"))"
    );
}
