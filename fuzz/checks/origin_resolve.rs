//! For any target, `Host`, `Forwarded`, X-Forwarded-For and headers that no proxy sets, the request
//! is rejected or the client is the right one. No hop that is not trusted chooses the client or the
//! scheme, and no host that is not served gets into a URL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{HeaderName, HeaderValue, Request};
use tower::{Layer, Service};
use tower_origin::{Origin, OriginLayer, PeerAddr};

/// The real client.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// The first byte is a set of flags. Then come, a line each, the client's target, its `Host`, its
/// headers that no proxy sets, and the lines of the header to which the proxies append.
pub(crate) fn origin_resolve(data: &[u8]) {
    let Some((&flags, lines)) = data.split_first() else {
        return;
    };
    let flag = |bit: u8| flags & 1 << bit != 0;
    let (forwarded, same_line, listed) = (flag(0), flag(1), flag(2));
    let proxies = usize::from(flags >> 3 & 3);
    let mut lines = lines.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let Ok(uri) = http::Uri::try_from(line()) else {
        return;
    };
    let (Ok(host), Ok(claim)) = (
        HeaderValue::from_bytes(line()),
        HeaderValue::from_bytes(line()),
    ) else {
        return;
    };
    let Ok(mut headers) = lines
        .map(HeaderValue::from_bytes)
        .collect::<Result<Vec<_>, _>>()
    else {
        return;
    };

    // Each proxy appends its peer: the first proxy the client, each other one the proxy before it.
    let mut hop = CLIENT;
    for proxy in 0..proxies {
        let said = match (forwarded, proxy % 2) {
            (false, _) => format!("{hop}"),
            (true, 0) => format!("for={hop};host=\"example.org:81\";proto=https"),
            (true, _) => format!("for=\"{hop}:99\""),
        };
        match if same_line { headers.pop() } else { None } {
            Some(line) => {
                let said = [line.as_bytes(), b", ", said.as_bytes()].concat();
                headers.extend(HeaderValue::from_bytes(&said).ok());
            }
            None => headers.extend(HeaderValue::from_str(&said).ok()),
        }
        hop = IpAddr::V4(Ipv4Addr::new(10, 0, 0, proxy as u8 + 1));
    }
    let name = match forwarded {
        true => http::header::FORWARDED,
        false => HeaderName::from_static("x-forwarded-for"),
    };
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    if !host.is_empty() {
        request.headers_mut().insert("host", host);
    }
    for claimed in ["x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix"] {
        request.headers_mut().insert(claimed, claim.clone());
    }
    if proxies == 0 {
        request.headers_mut().insert("x-forwarded-proto", claim);
    }
    for header in headers {
        request.headers_mut().append(name.clone(), header);
    }
    request
        .extensions_mut()
        .insert(PeerAddr(SocketAddr::from((hop, 4000))));

    let mut layer = OriginLayer::new()
        .trusted(["10.0.0.0/8"])
        .expect("a network");
    if listed {
        layer = layer.hosts(["example.org"]).expect("a host");
    }
    let Some(request) = let_through(&layer, request) else {
        return;
    };
    let (parts, ()) = request.into_parts();
    let origin = parts
        .extensions
        .get::<Origin>()
        .expect("the layer puts it there");
    assert_eq!((origin.client(), origin.prefix()), (Some(CLIENT), ""));
    let told = forwarded && proxies > 0;
    assert_eq!(
        origin.scheme().as_str(),
        if told { "https" } else { "http" }
    );
    if told {
        assert_eq!((origin.host(), origin.port()), (Some("example.org"), 81));
    }
    let url = origin.url(&parts);
    assert_eq!(url.is_some(), listed);
    if let Some(url) = url {
        assert_eq!(origin.host(), Some("example.org"));
        let url: http::Uri = url.parse().expect("it is a URL");
        assert_eq!(
            (url.host(), url.scheme_str()),
            (origin.host(), Some(origin.scheme().as_str()))
        );
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    assert!(origin.host().unwrap_or_default().chars().all(legal));
}

/// The request as the layer passes it on, or `None` if it rejects the request.
fn let_through(layer: &OriginLayer, request: Request<()>) -> Option<Request<()>> {
    let mut inner = None;
    let service = tower::service_fn(|request: Request<()>| {
        inner = Some(request);
        let response = http::Response::new(http_body_util::Full::<bytes::Bytes>::default());
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    drop(layer.layer(service).call(request));
    inner
}
