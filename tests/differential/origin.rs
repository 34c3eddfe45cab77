//! A request's head: whom tower-origin takes for the client, and which URL it sees.

use std::{
    collections::HashMap, convert::Infallible, error::Error, future::ready, net::SocketAddr,
};

use http::{Request, Response};
use http_body_util::Empty;
use serde_json::{Value, json};
use tower::{Layer, Service, service_fn};
use tower_origin::{Origin, OriginLayer, PeerAddr, XForwarded};

/// The layers by their settings.
#[derive(Default)]
pub(crate) struct Layers {
    layers: HashMap<String, OriginLayer>,
}

impl Layers {
    /// Returns client, scheme, host and port of the request, or its rejection.
    pub(crate) fn run(&mut self, case: &Value) -> Value {
        match self.resolve(case) {
            Ok(result) => result,
            Err(error) => json!({ "error": error.to_string() }),
        }
    }

    fn resolve(&mut self, case: &Value) -> Result<Value, Box<dyn Error>> {
        let settings = &case["layer"];
        let key = settings.to_string();
        if !self.layers.contains_key(&key) {
            self.layers.insert(key.clone(), layer(settings)?);
        }
        let layer = self.layers.get(&key).ok_or("the layer was inserted")?;

        let peer: SocketAddr = text(&case["peer"]).parse()?;
        let mut request = Request::get(text(&case["target"])).extension(PeerAddr(peer));
        for header in list(&case["headers"]) {
            request = request.header(text(&header[0]), text(&header[1]));
        }
        let mut seen = None;
        let inner = service_fn(|request: Request<()>| {
            seen = request.extensions().get::<Origin>().cloned();
            let response = Response::new(Empty::<bytes::Bytes>::new());
            ready(Ok::<_, Infallible>(response))
        });
        drop(layer.layer(inner).call(request.body(())?));
        Ok(match seen {
            Some(origin) => json!([
                origin.client().map(|client| client.to_string()),
                origin.scheme().as_str(),
                origin.host(),
                origin.port(),
            ]),
            None => json!("rejected"),
        })
    }
}

fn layer(settings: &Value) -> Result<OriginLayer, Box<dyn Error>> {
    let layer = OriginLayer::new().trusted(list(&settings["trusted"]).map(text))?;
    let layer = match text(&settings["kind"]) {
        "forwarded" => layer.only_forwarded(),
        "x-forwarded" => layer.only_x_forwarded(),
        _ => layer,
    };
    Ok(match settings["host"].as_bool() {
        Some(true) => layer.x_forwarded([XForwarded::Host]),
        _ => layer,
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
