//! A small service on tower-serve, with TLS and the PROXY protocol as its arguments say. It is what
//! `run.py` puts behind real proxies and beside nginx.

use std::{convert::Infallible, env, error::Error, future::ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::signal::unix::{SignalKind, signal};
use tower_serve::{PeerAddr, RequestBody, Server, Shutdown, Tls};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Responds with the peer's address to `/peer`, with a megabyte to `/large`, and with a kilobyte to
/// all other requests.
fn respond(request: &Request<RequestBody>) -> Response<Full<Bytes>> {
    static PAGE: [u8; 1024] = [b'x'; 1024];
    static LARGE: [u8; 1024 * 1024] = [b'x'; 1024 * 1024];
    let body = match request.uri().path() {
        "/peer" => match request.extensions().get() {
            Some(PeerAddr(peer)) => peer.to_string().into(),
            None => Bytes::from_static(b"none"),
        },
        "/large" => Bytes::from_static(&LARGE),
        _ => Bytes::from_static(&PAGE),
    };
    Response::new(Full::new(body))
}

/// Reads `ADDRESS [proxy-protocol NETWORK] [tls CHAIN KEY]…`.
fn server() -> Result<(Server, Option<Tls>), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("an argument is missing");
    let mut server = Server::new(next()?.parse()?);
    let mut tls = None;
    while let Ok(option) = next() {
        match &*option {
            "proxy-protocol" => server = server.proxy_protocol([next()?])?,
            "tls" => {
                let (chain, key) = (next()?, next()?);
                tls = Some(match tls {
                    None => Tls::new(chain, key)?,
                    Some(tls) => Tls::certificate(tls, chain, key)?,
                });
            }
            _ => return Err(format!("`{option}` is not an option").into()),
        }
    }
    if let Some(tls) = &tls {
        server = server.tls(tls.clone());
    }
    Ok((server, tls))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (server, tls) = server()?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match tls.as_ref().map(Tls::reload) {
                Some(Err(error)) => println!("{error}"),
                _ => println!("reloaded"),
            }
        }
    });
    let bound = server.bind().await?;
    for address in bound.addresses() {
        println!("listening on {address}");
    }
    let service = tower::service_fn(|request: Request<RequestBody>| {
        ready(Ok::<_, Infallible>(respond(&request)))
    });
    bound.serve(service, Shutdown::signals()?).await?;
    Ok(())
}
