//! `tower-deploy request`: one request, without a socket.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use bytes::Bytes;
use clap::Args;
use http::{
    HeaderName, HeaderValue, Method, Request, Uri,
    header::{CONTENT_LENGTH, HOST},
    response,
};
use http_body_util::BodyExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower_origin::PeerAddr;
use tower_service::Service;

use super::{
    arguments::{File, Global},
    failure::Failure,
    output::{say, write},
    runtime::runtime,
};
use crate::{Body, BoxError, Registry, trace::Trace};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: File,
    /// GET, PUT and so on.
    method: Method,
    /// The target, as it stands in a request: `/path?query`, or a whole URL, whose host becomes
    /// the Host header.
    #[arg(value_parser = target)]
    path: Uri,
    /// A header of the request.
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// The request's body.
    #[arg(long, default_value = "")]
    data: String,
    /// Show what each part did, in order.
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    global: Global,
}

fn target(text: &str) -> Result<Uri, String> {
    if !text.is_ascii() {
        let encoded: String = text.chars().map(encoded).collect();
        return Err(format!("write it as it stands in a request: {encoded}"));
    }
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    let is_target = text.starts_with('/') || text == "*" || uri.scheme().is_some();
    is_target
        .then_some(uri)
        .ok_or("it begins with a slash".to_owned())
}

fn encoded(c: char) -> String {
    match c.is_ascii() {
        true => c.to_string(),
        false => utf8_percent_encode(c.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC).to_string(),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write NAME: VALUE")?;
    let name = name.parse().map_err(|error| format!("{name}: {error}"))?;
    let value = value.trim().parse();
    Ok((name, value.map_err(|error| format!("{error}"))?))
}

pub(super) fn run(registry: Registry, arguments: Arguments) -> Result<(), Failure> {
    let loader = arguments.global.loader(registry);
    let loader = match arguments.trace {
        true => loader.traced(),
        false => loader,
    };
    let runtime = runtime()?;
    let site = {
        // Processes of the site are started in it.
        let _within = runtime.enter();
        let files = loader.snapshot();
        loader.load_site(&arguments.file.uri(), &files)?
    };
    let (mut app, processes) = (site.app, site.processes);
    let trace = Trace::default();
    let request = request(&arguments, &trace);
    let is_head = arguments.method == Method::HEAD;
    let asked = async move {
        let Ok(response) = app.call(request).await;
        let (parts, body) = response.into_parts();
        let has_reader = say_head(&parts)?;
        match has_reader && !is_head {
            true => say_body(body).await,
            false => Ok(()),
        }
    };
    // A panic ends the task, and not the command.
    let done = runtime.block_on(async {
        let done = tokio::spawn(asked).await;
        processes.stop().await;
        done
    });
    runtime.shutdown_background();
    // The end of the body is over, so the trace has the hooks' `finish` as well.
    if arguments.trace {
        say(&format!("\n{trace}"))?;
    }
    done.unwrap_or_else(|panic| Err(panic.into()))
        .map_err(Failure::Response)
}

fn say_head(parts: &response::Parts) -> io::Result<bool> {
    let mut head = format!("HTTP/1.1 {}\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    head.push(b'\n');
    write(&head)
}

/// Writes a body as it comes, as long as there is a reader.
async fn say_body(mut body: Body) -> Result<(), BoxError> {
    let mut last = b'\n';
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            last = data.last().copied().unwrap_or(last);
            if !write(&data)? {
                return Ok(());
            }
        }
    }
    if last != b'\n' {
        say("\n")?;
    }
    Ok(())
}

fn request(arguments: &Arguments, trace: &Trace) -> Request<Body> {
    let data = Bytes::from(arguments.data.clone());
    let mut request = Request::new(Body::from(data));
    *request.method_mut() = arguments.method.clone();
    let authority = arguments.path.authority().map(http::uri::Authority::as_str);
    let host = HeaderValue::try_from(authority.unwrap_or("localhost"));
    let is_given = arguments.header.iter().any(|(name, _)| name == HOST);
    let headers = request.headers_mut();
    if let Ok(host) = host
        && !is_given
    {
        headers.insert(HOST, host);
    }
    if !arguments.data.is_empty() {
        headers.insert(CONTENT_LENGTH, arguments.data.len().into());
    }
    for (name, value) in &arguments.header {
        headers.append(name, value.clone());
    }
    let path = arguments.path.path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    let peer = PeerAddr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    request.extensions_mut().insert(peer);
    if arguments.trace {
        request.extensions_mut().insert(trace.clone());
    }
    request
}
