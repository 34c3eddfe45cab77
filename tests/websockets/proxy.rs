//! tower-serve with tower-upstream, and the page that a browser opens.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{Either, Full};
use tower::{ServiceExt, service_fn};
use tower_serve::{Address, RequestBody, Server, Shutdown, Tls};
use tower_upstream::Upstream;

use crate::BoxError;

const PAGE: &str = include_str!("page.html");

/// Serves until the process is ended. The browser's result comes as a request, which is printed.
pub(crate) async fn serve(upstream: &str, tls: Option<(&str, &str)>) -> Result<(), BoxError> {
    let upstream = Upstream::new(upstream)?;
    let address = Address::Tcp("127.0.0.1:0".to_owned());
    let mut server = Server::new(address).enable_connect_protocol();
    if let Some((certificate, key)) = tls {
        server = server.tls(Tls::new(certificate, key)?);
    }
    let service = service_fn(move |request: Request<RequestBody>| {
        let upstream = upstream.clone();
        async move {
            println!(
                "{} {:?} {}",
                request.method(),
                request.version(),
                request.uri()
            );
            let own = match request.uri().path() {
                "/page" => PAGE,
                "/settings" | "/result" => "",
                _ => {
                    let response = upstream.oneshot(request).await?;
                    return Ok::<_, Infallible>(response.map(Either::Left));
                }
            };
            let mut response = Response::new(Either::Right(Full::<Bytes>::from(own)));
            let html = http::HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, html);
            Ok(response)
        }
    });
    let bound = server.bind().await?;
    let address = bound.addresses().next().unwrap_or_default();
    println!("{}", address.rsplit(':').next().unwrap_or_default());
    bound.serve(service, Shutdown::signals()?).await?;
    Ok(())
}
