//! Class-based views, as in link.wsgi: one object for all requests, with a method for each HTTP
//! method.
//!
//! `cargo run -p examples --bin class-views`, then `curl -X POST -d 'buy milk' http://127.0.0.1:8080/notes` and
//! `curl http://127.0.0.1:8080/notes/0`.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, body::Body};
use clap::Parser;
use http::{Request, Response, StatusCode, header::LOCATION};
use http_body_util::{BodyExt, Limited};
use tokio::net::TcpListener;
use tower_dispatch::{Dispatch, UrlArgs, View};

/// Keeps notes in memory.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

/// The longest note, in bytes.
const LIMIT: usize = 1024;

type HttpResult = Result<Response<Body>, Infallible>;

/// The notes, which both views share.
type Texts = Arc<Mutex<Vec<Option<String>>>>;

fn with<T>(texts: &Texts, work: impl FnOnce(&mut Vec<Option<String>>) -> T) -> T {
    work(&mut texts.lock().unwrap_or_else(PoisonError::into_inner))
}

fn respond(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}

/// All notes.
struct Notes(Texts);

impl Notes {
    async fn get(self: Arc<Self>, _: Request<Body>) -> HttpResult {
        let lines = with(&self.0, |texts| {
            let notes = texts.iter().enumerate();
            let notes = notes.filter_map(|(id, text)| Some(format!("{id}: {}\n", text.as_ref()?)));
            notes.collect::<String>()
        });
        Ok(respond(StatusCode::OK, lines))
    }

    async fn post(self: Arc<Self>, request: Request<Body>) -> HttpResult {
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return Ok(respond(StatusCode::BAD_REQUEST, format!("{error}\n"))),
        };
        let Ok(text) = String::from_utf8(body.into()) else {
            return Ok(respond(StatusCode::BAD_REQUEST, "a note is UTF-8\n"));
        };
        let id = with(&self.0, |texts| {
            texts.push(Some(text));
            texts.len() - 1
        });
        let mut response = respond(StatusCode::CREATED, "");
        let args = parts.extensions.get::<UrlArgs>();
        let url = args.and_then(|args| args.url_for("note", &[("id", &id)]).ok());
        if let Some(url) = url.and_then(|url| url.parse().ok()) {
            response.headers_mut().insert(LOCATION, url);
        }
        Ok(response)
    }
}

/// One note.
struct Note(Texts);

impl Note {
    async fn get(self: Arc<Self>, request: Request<Body>) -> HttpResult {
        let note = with(&self.0, |texts| texts.get(id(&request)?)?.clone());
        Ok(match note {
            Some(text) => respond(StatusCode::OK, text + "\n"),
            None => respond(StatusCode::NOT_FOUND, "there is no such note\n"),
        })
    }

    async fn delete(self: Arc<Self>, request: Request<Body>) -> HttpResult {
        let gone = with(&self.0, |texts| texts.get_mut(id(&request)?)?.take());
        Ok(match gone {
            Some(_) => respond(StatusCode::NO_CONTENT, ""),
            None => respond(StatusCode::NOT_FOUND, "there is no such note\n"),
        })
    }
}

fn id(request: &Request<Body>) -> Option<usize> {
    request.extensions().get::<UrlArgs>()?.parse().ok()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let texts = Texts::default();
    let urls = Dispatch::builder()
        .view(
            "/notes",
            View::new(Notes(texts.clone()))
                .get(Notes::get)
                .post(Notes::post),
        )
        .view(
            "/notes/{id:int}",
            View::new(Note(texts)).get(Note::get).delete(Note::delete),
        )
        .name("note")
        .build()?;

    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(urls)).await?;
    Ok(())
}
