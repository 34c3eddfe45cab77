//! The article's ExceptionMiddleware, by what `append_traceback` makes of it; and error pages, by
//! their negotiation and their escaping.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use scraper::{Html, Selector};
use serde_json::Value;
use tower::{BoxError, Layer, ServiceExt, service_fn};
use tower_exception::{DebugPage, ExceptionLayer};
use tower_kit::accept;

use crate::{Verdict, bytes};

const PASSES: &str =
    "nothing passes: what Python keeps for ending a program is an error like any other";
const HEADS: &str = "what fails before the head was handed out is a 500";
const STOPS: &str = "no error ends a body well";
const RANGES: &str = "what is not a media range asks for nothing";
const OFFERS: &str = "what is offered is one type";
const CLOSES: &str = "what fails when a body is dropped is reported, and not sent";

/// The exceptions that the vectors' applications raise.
#[derive(Clone, Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Raised {}

/// Items, and perhaps an error at one of them.
struct Items {
    items: Vec<Bytes>,
    given: usize,
    fails: Option<(usize, Raised)>,
    /// Counts like `close()`, and may fail like it.
    drops: Arc<AtomicUsize>,
    bomb: bool,
}

impl Body for Items {
    type Data = Bytes;
    type Error = Raised;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Raised>>> {
        let at = self.given;
        self.given += 1;
        if let Some((k, raised)) = &self.fails
            && *k == at
        {
            return Poll::Ready(Some(Err(raised.clone())));
        }
        let item = self.items.get(at).cloned();
        Poll::Ready(item.map(|item| Ok(Frame::data(item))))
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        assert!(!self.bomb, "close");
    }
}

fn layer(reports: &Arc<Mutex<usize>>) -> ExceptionLayer {
    let reports = reports.clone();
    ExceptionLayer::debug(
        move |_| *reports.lock().unwrap() += 1,
        DebugPage::new(|_| Some(IpAddr::V4(Ipv4Addr::LOCALHOST))).append_traceback(),
    )
}

pub(crate) fn run(vector: &Value) -> Verdict {
    let scenario = &vector["scenario"];
    let expect = &vector["expect"]["armin_except_exception"];
    let phase = scenario["phase"].as_str().unwrap_or_default();
    if !expect["propagated"].as_array().is_none_or(Vec::is_empty) {
        return Verdict::Difference(if phase.contains("close") {
            CLOSES
        } else {
            PASSES
        });
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let raised = Raised(format!(
        "{}: {}",
        text(&scenario["exception"]["class"]),
        text(&scenario["exception"]["message"])
    ));
    let k = scenario["k"].as_u64().unwrap_or(0) as usize;
    let items: Vec<Bytes> = scenario["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| bytes(item).into())
        .collect();

    let drops = Arc::<AtomicUsize>::default();
    let reports = Arc::<Mutex<usize>>::default();
    let app = {
        let (raised, drops, phase) = (raised.clone(), drops.clone(), phase.to_owned());
        layer(&reports).layer(service_fn(move |_: Request<()>| {
            let answer = match phase.as_str() {
                "call" | "call_started" => Err(raised.clone().into()),
                _ => {
                    let mut response = Response::new(Items {
                        items: items.clone(),
                        given: 0,
                        fails: phase.starts_with("item").then(|| (k, raised.clone())),
                        drops: drops.clone(),
                        bomb: phase.contains("close"),
                    });
                    let text = HeaderValue::from_static("text/plain");
                    response.headers_mut().insert(CONTENT_TYPE, text);
                    Ok::<_, BoxError>(response)
                }
            };
            std::future::ready(answer)
        }))
    };
    let request = Request::get("/")
        .header("host", "localhost")
        .body(())
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (status, frames, failed) = runtime.block_on(async {
        let response = app
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {});
        let status = u64::from(response.status().as_u16());
        let mut body = Box::pin(response.into_body());
        let (mut frames, mut failed) = (Vec::new(), false);
        let most = if phase == "abort" { k } else { usize::MAX };
        while frames.len() < most
            && let Some(frame) = body.frame().await
        {
            match frame {
                Ok(frame) => frames.push(frame.into_data().unwrap_or_default()),
                Err(_) => failed = true,
            }
        }
        (status, frames, failed)
    });

    // Each piece as data, or as the text of the error, which has the piece's name.
    let names = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.contains(&raised.0)
    };
    let seen: Vec<Option<Vec<u8>>> = frames
        .iter()
        .map(|frame| (!names(frame)).then(|| frame.to_vec()))
        .filter(|piece| piece.as_ref().is_none_or(|data| !data.is_empty()))
        .collect();
    let expected: Vec<Option<Vec<u8>>> = expect["pieces"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|piece| piece.get("data").map(bytes))
        .filter(|piece| piece.as_ref().is_none_or(|data| !data.is_empty()))
        .collect();
    let created = usize::from(!phase.starts_with("call"));
    let told = usize::from(phase != "none" && phase != "abort");
    if (
        drops.load(Ordering::SeqCst),
        *reports.lock().unwrap(),
        failed,
    ) != (created, told, false)
    {
        return Verdict::Failed(
            format!("{created} drops, {told} reports, no abort"),
            format!("{drops:?} drops, {reports:?} reports, {failed}"),
        );
    }
    if phase == "abort" {
        // The server stops before a head was sent, or after.
        return Verdict::equal(expected, seen);
    }
    match phase {
        "close" if seen != expected => return Verdict::Difference(CLOSES),
        "call_started" | "item" if k == 0 && expect["status"] == 200 && status == 500 => {
            return Verdict::Difference(HEADS);
        }
        "item" if scenario["exception"]["class"] == "StopIteration" => {
            return Verdict::Difference(STOPS);
        }
        _ => {}
    }
    Verdict::equal((expect["status"].as_u64(), expected), (Some(status), seen))
}

pub(crate) fn accept(vector: &Value) -> Verdict {
    let header = match vector["header"].as_str() {
        None => None,
        Some(text) => match HeaderValue::from_str(text) {
            Ok(value) => Some(value),
            Err(_) => return Verdict::Skipped("no such header can be sent"),
        },
    };
    let offers: Vec<&str> = vector["offers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let best = accept::best(header.as_ref(), &offers).map(|best| offers[best]);
    let expected = vector["expect"]["werkzeug"]["best"].as_str();
    if header.is_none() {
        // By ruling.
        return Verdict::equal(offers.first().copied(), best);
    }
    if expected != best {
        let has_tag = |tag: &str| {
            vector["tags"]
                .as_array()
                .is_some_and(|tags| tags.iter().any(|found| found == tag))
        };
        if has_tag("malformed") {
            return Verdict::Difference(RANGES);
        }
        if offers.iter().any(|offer| offer.contains('*')) {
            return Verdict::Difference(OFFERS);
        }
    }
    Verdict::equal(expected, best)
}

/// The text is on the page, as text, and makes no element.
pub(crate) fn escape(vector: &Value) -> Verdict {
    let text = String::from_utf8_lossy(&bytes(&vector["text"])).into_owned();
    let harmless = page("harmless");
    let page = page(&text);
    let elements = |page: &Html| {
        page.tree
            .nodes()
            .filter(|node| node.value().is_element())
            .count()
    };
    let Ok(h1) = Selector::parse("h1") else {
        return Verdict::Failed("a selector".into(), "none".into());
    };
    let shown: String = page.select(&h1).flat_map(|h1| h1.text()).collect();
    // As HTML reads line ends and NUL.
    let expected = text
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\0', "\u{fffd}");
    Verdict::equal((elements(&harmless), expected), (elements(&page), shown))
}

fn page(text: &str) -> Html {
    let raised = Raised(text.to_owned());
    let app = layer(&Arc::default()).layer(service_fn(move |_: Request<()>| {
        std::future::ready(Err::<Response<Full<Bytes>>, BoxError>(
            raised.clone().into(),
        ))
    }));
    let request = Request::get("/")
        .header("host", "localhost")
        .header("accept", "text/html");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let body = runtime.block_on(async {
        let answer = app.oneshot(request.body(()).unwrap()).await;
        let response = answer.unwrap_or_else(|never: Infallible| match never {});
        response
            .into_body()
            .collect()
            .await
            .map(|body| body.to_bytes())
    });
    Html::parse_document(&String::from_utf8_lossy(&body.unwrap()))
}
