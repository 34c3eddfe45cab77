//! For any nested mounts of a path, SCRIPT_NAME and PATH_INFO are the raw path, and a mount by
//! segments agrees with one by bytes.

use http::Request;
use tower::{Layer, Service};
use tower_environ::{MountExt, MountLayer, ScriptName};

/// Lines: the path, then mounts from the outermost to the innermost. A mount that begins with a
/// digit strips that number of bytes.
pub(crate) fn mount_nest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let Ok(mut request) = Request::get(lines.next().unwrap_or_default()).body(()) else {
        return;
    };
    let raw = request.uri().path().to_owned();
    for line in lines.take(16) {
        let (before, path) = (request.script_name().len(), request.uri().path().to_owned());
        if let Ok(by) = line.parse::<usize>() {
            let grown = ScriptName::grow(&mut request, by);
            assert_eq!(
                request.script_name().len(),
                before + if grown { by } else { 0 }
            );
        } else if let Ok(mount) = MountLayer::new(line) {
            match mounted(&mount, request.clone()) {
                Some(inner) => request = inner,
                None => assert_eq!(request.uri().path(), path),
            }
            let taken = &request.script_name()[before..];
            assert!(taken.is_empty() || taken.starts_with('/'));
        }
        let (script_name, path_info) = (request.script_name(), request.path_info());
        assert_eq!(format!("{script_name}{path_info}"), raw);
        let rest = request.uri().path();
        assert!(
            rest == path_info || rest == "/" && path_info.is_empty(),
            "{rest} {path_info}"
        );
    }
}

/// The request as a mount passes it on.
fn mounted(mount: &MountLayer, request: Request<()>) -> Option<Request<()>> {
    let mut inner = None;
    let service = tower::service_fn(|request: Request<()>| {
        inner = Some(request);
        let response = http::Response::new(http_body_util::Full::<bytes::Bytes>::default());
        std::future::ready(Ok::<_, std::convert::Infallible>(response))
    });
    drop(mount.layer(service).call(request));
    inner
}
