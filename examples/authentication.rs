//! Basic authentication as a hook (RFC 7617). An unknown user gets a 401 with `WWW-Authenticate`.
//! The name of a known user is in the request's extensions.
//!
//! `cargo run -p examples --bin authentication`, then `curl -i http://127.0.0.1:8080/` and `curl -u ann:secret http://127.0.0.1:8080/`.

use std::{net::SocketAddr, ops::ControlFlow};

use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use clap::Parser;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    request,
};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tower_hooks::{Hook, HooksLayer};

/// Greets known users.
#[derive(Parser)]
struct Args {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    bind: SocketAddr,
}

#[derive(Clone)]
struct User(&'static str);

/// Knows users by the hash of their credentials.
struct Authentication {
    users: Vec<(&'static str, [u8; 32])>,
}

impl Authentication {
    fn user(&self, headers: &HeaderMap) -> Option<User> {
        let sent = headers.get(AUTHORIZATION)?.as_bytes();
        let (scheme, credentials) = sent.split_at_checked("Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        // Hashes are compared, so that the time of a comparison reveals nothing.
        let sent: [u8; 32] = Sha256::digest(credentials.trim_ascii()).into();
        let known = self.users.iter().find(|(_, hash)| *hash == sent);
        known.map(|(name, _)| User(name))
    }
}

impl Hook for Authentication {
    type State = ();

    async fn before(
        &self,
        (): &mut (),
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        if let Some(user) = self.user(&request.headers) {
            request.extensions.insert(user);
            return ControlFlow::Continue(());
        }
        let mut response = Response::new(Full::from("Say who you are.\n"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let challenge = HeaderValue::from_static(r#"Basic realm="greetings", charset="UTF-8""#);
        let headers = response.headers_mut();
        headers.insert(WWW_AUTHENTICATE, challenge);
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(CONTENT_TYPE, text);
        ControlFlow::Break(response)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Base64 of `ann:secret`; a real one comes from a file, salted.
    let ann = Sha256::digest("YW5uOnNlY3JldA==").into();
    let authentication = Authentication {
        users: vec![("Ann", ann)],
    };
    let app = Router::new()
        .route(
            "/",
            get(async |Extension(user): Extension<User>| format!("Hello {}\n", user.0)),
        )
        .layer(HooksLayer::new().hook(authentication));
    let listener = TcpListener::bind(Args::parse().bind).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
