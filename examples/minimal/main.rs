//! An application with factories of its own and the whole command line of tower-deploy:
//! PasteDeploy's smallest pipeline, and the same with its filter twice.
//!
//! `cargo run -p examples --bin minimal -- serve examples/minimal/minimal.ini`, or
//! `…/minimal.ini#twice`. `explain` instead of `serve` shows the stack, `check` reports errors, and
//! `request FILE GET / --trace` shows what each part does.

use std::{convert::Infallible, process::ExitCode};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use serde::Deserialize;
use tower::service_fn;
use tower_body_rewrite::PrefixLayer;
use tower_deploy::{App, Body, Filter, Registry, cli};

/// The app's three settings.
#[derive(Deserialize)]
struct Minimal {
    greeting: String,
    subject: String,
    footer: String,
}

#[derive(Deserialize)]
struct Prefix {
    prefix: String,
}

fn registry() -> Registry {
    Registry::standard()
        .app("minimal", |_global, settings: Minimal| {
            let text = format!(
                "{} {}!\nThis is {}.\n",
                settings.greeting, settings.subject, settings.footer
            );
            Ok::<_, Infallible>(App::new(service_fn(move |_: Request<Body>| {
                let mut response = Response::new(Full::<Bytes>::from(text.clone()));
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, plain);
                async { Ok::<_, Infallible>(response) }
            })))
        })
        .filter("minimal#prefix", |_global, settings: Prefix| {
            Ok::<_, Infallible>(Filter::new(PrefixLayer::new(settings.prefix + " ")))
        })
}

fn main() -> ExitCode {
    cli::main(registry())
}
