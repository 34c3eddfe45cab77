//! The application of Armin Ronacher's WSGI introduction, whole: a greeting by query string, an
//! ordered list of regexes that match the path without its leading slashes, and its
//! ExceptionMiddleware around them, which shows tracebacks in the browser.
//!
//! `cargo run -p examples --bin hello`, then open `http://127.0.0.1:8080/?subject=John` or `/hello/John`.

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, body::Body, extract::ConnectInfo};
use clap::Parser;
use html_escape::encode_text;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_dispatch::{Dispatch, Pattern, UrlArgs};
use tower_exception::{DebugPage, ExceptionLayer, install_panic_hook, to_stderr};

/// Greets.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

fn page(text: String) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from(text));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    Ok(response)
}

/// Greets the name in the query string, and links to the other greeting.
async fn index(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let subject = parameters.find(|(name, _)| name == "subject");
    let subject = subject.map_or("World".into(), |(_, value)| value);
    page(format!(
        "<p>Hello {}!</p>\n<p><a href=\"hello/\">continue</a></p>\n",
        encode_text(&subject)
    ))
}

/// Greets the name in the path.
async fn hello(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let args = request.extensions().get::<UrlArgs>();
    let subject = args.and_then(|args| args.get(0)).unwrap_or("World");
    page(format!("<p>Hello {}!</p>\n", encode_text(subject)))
}

/// A greeting for `nobody` panics.
async fn nobody(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    panic!("there is nobody to greet")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    install_panic_hook();
    let urls = Dispatch::builder()
        .get(Pattern::regex_search("^$")?, service_fn(index))
        .get(Pattern::regex_search("hello/nobody$")?, service_fn(nobody))
        .get(Pattern::regex_search("hello/?$")?, service_fn(hello))
        .get(Pattern::regex_search("hello/(.+)$")?, service_fn(hello))
        .without_leading_slashes()
        .build()?;
    // It prints nothing, because no route is covered by an earlier one.
    eprint!("{}", urls.audit());

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // The traceback is for this machine only; other clients get a 500 and the incident's id.
    let page = DebugPage::new(|head| {
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
        peer.map(|peer| peer.0.ip())
    });
    let app = ServiceBuilder::new()
        .layer(ExceptionLayer::debug(to_stderr, page.append_traceback()))
        .service(urls);
    let app = Router::new().fallback_service(app);
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}
