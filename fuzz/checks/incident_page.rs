//! For any content of an incident, its page has the same elements and attributes, and its JSON
//! parses. The fuzz target and the test that replays its corpus share this file.

use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::OnceLock,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use scraper::Html;
use tower::{Layer, ServiceExt, service_fn};
use tower_exception::{DebugPage, ExceptionLayer, SnapshotLayer};
use tower_lint::probe::block_on;

#[derive(Clone)]
struct Said(String);

/// The text as an error and as an extension.
impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

pub(crate) fn incident_page(data: &[u8]) {
    static HARMLESS: OnceLock<Vec<String>> = OnceLock::new();
    let harmless = HARMLESS.get_or_init(|| skeleton(&page(b"harmless", "text/html")));
    assert_eq!(&skeleton(&page(data, "text/html")), harmless);
    let json = page(data, "application/json");
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["status"], 500);
    assert!(page(data, "text/plain").starts_with("error in the future: "));
}

fn page(data: &[u8], accept: &'static str) -> String {
    let said = Said(String::from_utf8_lossy(data).into_owned());
    let target: String = data.iter().map(|byte| format!("%{byte:02x}")).collect();
    let value: Vec<u8> = data
        .iter()
        .copied()
        .filter(|byte| *byte >= 0x20 && *byte != 0x7f)
        .collect();
    let mut request = Request::get(format!("/{target}?{target}"))
        .header("host", "localhost")
        .header("accept", accept)
        .body(())
        .expect("percent-encoded bytes are a path");
    let value = HeaderValue::from_bytes(&value).expect("control characters are left out");
    request.headers_mut().insert("x-said", value);
    request.extensions_mut().insert(said.clone());

    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let app = ExceptionLayer::debug(|_| {}, DebugPage::new(move |_| Some(here)).force()).layer(
        SnapshotLayer::new()
            .show::<Said>("said")
            .layer(service_fn(move |_: Request<()>| {
                std::future::ready(Err::<Response<Full<Bytes>>, _>(said.clone()))
            })),
    );
    let body = block_on(async {
        let response = app
            .oneshot(request)
            .await
            .unwrap_or_else(|never: Infallible| match never {});
        response
            .into_body()
            .collect()
            .await
            .expect("a page does not fail")
            .to_bytes()
    });
    String::from_utf8(body.expect("a page is made in time").into()).expect("a page is text")
}

/// Elements and the names of their attributes, in order.
fn skeleton(html: &str) -> Vec<String> {
    let document = Html::parse_document(html);
    let elements = document
        .tree
        .nodes()
        .filter_map(|node| node.value().as_element());
    elements
        .map(|element| {
            let mut names: Vec<&str> = element.attrs().map(|(name, _)| name).collect();
            names.sort_unstable();
            format!("{} {names:?}", element.name())
        })
        .collect()
}
