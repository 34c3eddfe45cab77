//! Paste's URLMap, as far as one mount at a path goes; what takes several, or a host, is tower-deploy's.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_environ::{CgiView, MountLayer};

use crate::{Verdict, bytes};

pub(crate) fn run(vector: &Value) -> Verdict {
    let mounts = vector["mounts"].as_array().map_or(&[][..], Vec::as_slice);
    let [mount] = mounts else {
        return Verdict::NoRunner("tower-deploy");
    };
    let prefix = mount[0].as_str().unwrap_or_default();
    let outer = vector["request"]["script_name"].as_str();
    if outer != Some("") || prefix.is_empty() || prefix.starts_with("http://") {
        return Verdict::NoRunner("tower-deploy");
    }
    let paste = &vector["expect"]["paste"];
    let refused = !paste["mount_error"].is_null();
    let mount = match MountLayer::new(prefix) {
        Ok(mount) if !refused => mount,
        Err(_) if !refused && prefix.contains("//") => {
            return Verdict::Difference("`//` is not collapsed");
        }
        mount => return Verdict::equal(refused, mount.is_err()),
    };
    let raw = vector["request"]["raw_path"].as_str().unwrap_or_default();
    if raw.is_empty() {
        return Verdict::Skipped("a request without a path");
    }
    let Ok(request) = Request::get(raw).body(()) else {
        return Verdict::Skipped("a path that no URI has");
    };
    let app = service_fn(async |request: Request<()>| {
        let view = CgiView::from(&request);
        let name = |name| view.get(name).unwrap_or_default().into_owned();
        let body = [name("SCRIPT_NAME"), name("PATH_INFO")].join(&0);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(body)))
    });
    let response = mount.layer(app).oneshot(request).now_or_never();
    let response = response.map(|response| response.unwrap_or_else(|never| match never {}));
    let (parts, body) = response.expect("nothing here waits").into_parts();
    let body = body.collect().now_or_never();
    let body = body.map(|body| body.map(|body| body.to_bytes()));
    let seen = match (parts.status, body) {
        (StatusCode::OK, Some(Ok(body))) => Some(body.to_vec()),
        _ => None,
    };
    let names = || [bytes(&paste["script_name"]), bytes(&paste["path_info"])].join(&0);
    let expected = paste["app"].is_string().then(names);
    match Verdict::equal(expected, seen) {
        Verdict::Failed(..) if raw.contains("//") => Verdict::Difference("`//` is not collapsed"),
        Verdict::Failed(..) if raw.to_ascii_lowercase().contains("%2f") => {
            Verdict::Difference("an encoded slash stays inside its segment")
        }
        verdict => verdict,
    }
}
