//! Metadata of gRPC whose names are not plain.

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use tower_kit::{
    grpc::{Flavor, Protocol},
    names::{is_plain, plain},
};

use crate::one_hop::is_ours;

/// Variables that some servers take from headers of a proxy on the same machine.
const MOUNTS: [&str; 2] = ["script-name", "path-info"];

/// Takes out the metadata of a request of gRPC whose names are not plain, except those `passed` by
/// name. A server of gRPC takes none of them for another one.
///
/// Those stay that could be taken for a header of the proxy's own, in case that the service behind
/// makes no difference. They are then removed.
pub(crate) fn take(
    headers: &mut HeaderMap,
    passed: &[HeaderName],
    suppressed: &[HeaderName],
) -> Option<Box<HeaderMap>> {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let flavor = content_type.and_then(Flavor::of);
    if !flavor.is_some_and(|flavor| flavor.protocol() == Protocol::Native) {
        return None;
    }
    let mut metadata = HeaderMap::new();
    let is_metadata = |name: &HeaderName| {
        let plain = plain(name.as_str());
        !is_plain(name.as_str())
            && !passed.contains(name)
            && !is_ours(&plain)
            && !MOUNTS.contains(&&*plain)
            && !suppressed.iter().any(|suppressed| *suppressed == *plain)
    };
    for (name, value) in &*headers {
        if is_metadata(name) {
            metadata.append(name, value.clone());
        }
    }
    for name in metadata.keys() {
        headers.remove(name);
    }
    (!metadata.is_empty()).then(|| Box::new(metadata))
}
