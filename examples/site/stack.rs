//! The site: five layers over a directory of files and a few routes.

use std::{
    convert::Infallible,
    fmt::Write,
    io::{self, ErrorKind},
    path::PathBuf,
    pin::pin,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use sha2::{Digest, Sha256};
use tower::{BoxError, Service, ServiceBuilder, service_fn};
use tower_body_rewrite::PrefixLayer;
use tower_cascade::CascadeLayer;
use tower_dispatch::{Dispatch, DispatchLayer, UrlArgs};
use tower_environ::{EnvironExt, EnvironLayer, Key};
use tower_exception::{ExceptionLayer, Incident};
use tower_http::{map_request_body::MapRequestBodyLayer, services::ServeDir};

const HELLO: Key<&'static str> = Key::new("site.hello");

const TEXT: &str = "text/plain; charset=utf-8";

type HttpResult = Result<Response<Full<Bytes>>, BoxError>;

/// The whole stack, for any server's body type.
pub(crate) fn site<B>(
    files: PathBuf,
    report: impl Fn(&Incident) + Send + Sync + 'static,
) -> Result<
    impl Service<
        Request<B>,
        Response = Response<impl Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static,
    BoxError,
>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let urls = Dispatch::builder()
        .get("/hello", service_fn(hello))
        .put("/hello", service_fn(hello_sender))
        .get("/hello/{name}", service_fn(hello_name))
        .put("/upload", service_fn(upload))
        .get("/panic", service_fn(panics))
        .build()?;
    let files = ServeDir::new(files);
    let files = service_fn(move |request: Request<_>| files.clone().try_call(request));

    Ok(ServiceBuilder::new()
        .layer(ExceptionLayer::production(report))
        .layer(EnvironLayer::new(HELLO, "Hello World"))
        // The prefix layer may call its service twice, the second time with an empty body. Hyper's
        // own body cannot be made empty.
        .layer(MapRequestBodyLayer::new(|body: B| {
            body.map_err(Into::<BoxError>::into).boxed_unsync()
        }))
        .layer(PrefixLayer::new("yikes: "))
        .layer(
            CascadeLayer::new(files)
                // Other methods get a response of the file service itself, 405.
                .only(|request| matches!(request.method, Method::GET | Method::HEAD))
                // It redirects to a directory, which would shadow a route of that name.
                .statuses([StatusCode::NOT_FOUND, StatusCode::TEMPORARY_REDIRECT])?
                .on_error(no_such_file),
        )
        .layer(DispatchLayer::new(urls))
        .service(service_fn(not_found)))
}

/// Returns whether an error of the file service means 404. Without this, a name that is too long is
/// 500.
fn no_such_file(error: &BoxError) -> bool {
    let error = error.downcast_ref::<io::Error>();
    let kind = error.map(io::Error::kind);
    matches!(
        kind,
        Some(
            ErrorKind::NotFound
                | ErrorKind::NotADirectory
                | ErrorKind::PermissionDenied
                | ErrorKind::InvalidFilename
        )
    )
}

async fn hello<B>(request: Request<B>) -> HttpResult {
    let hello = request
        .environ(&HELLO)
        .ok_or("no layer has set site.hello")?;
    Ok(text(format!("{hello}\n")))
}

/// Greets the name in the body.
async fn hello_sender<B>(request: Request<B>) -> HttpResult
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let name = match Limited::new(request.into_body(), 1024).collect().await {
        Ok(name) => name.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let text = "a name has at most 1024 bytes\n".to_owned();
            return Ok(response(StatusCode::PAYLOAD_TOO_LARGE, TEXT, text));
        }
        Err(error) => return Err(error),
    };
    Ok(text(format!("Hello {}\n", String::from_utf8_lossy(&name))))
}

async fn hello_name<B>(request: Request<B>) -> HttpResult {
    let args = request.extensions().get::<UrlArgs>();
    let name = args
        .and_then(|args| args.name("name"))
        .ok_or("no name in the path")?;
    Ok(text(format!("Hello {name}\n")))
}

/// Responds with the length and the SHA-256 of the body, without a limit.
async fn upload<B>(request: Request<B>) -> HttpResult
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let mut body = pin!(request.into_body());
    let (mut length, mut sha256) = (0, Sha256::new());
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame.map_err(Into::into)?.data_ref() {
            length += data.len();
            sha256.update(data);
        }
    }
    let mut hex = String::new();
    for byte in sha256.finalize() {
        write!(hex, "{byte:02x}")?;
    }
    let json = format!("{{\"length\":{length},\"sha256\":\"{hex}\"}}\n");
    Ok(response(StatusCode::OK, "application/json", json))
}

async fn panics<B>(_: Request<B>) -> HttpResult {
    panic!("this route always panics")
}

async fn not_found<B>(request: Request<B>) -> HttpResult {
    let page = match *request.method() {
        // HTTP/2 allows no body here.
        Method::HEAD => "",
        _ => {
            "<!DOCTYPE html>\n<title>Not found</title>\n<p>There is no such page. <a href=\"/\">Start</a>\n"
        }
    };
    Ok(response(
        StatusCode::NOT_FOUND,
        "text/html; charset=utf-8",
        page.into(),
    ))
}

fn text(body: String) -> Response<Full<Bytes>> {
    response(StatusCode::OK, TEXT, body)
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
