//! The address that tonic's server inserts.

use http::Request;
use tonic::transport::server::TcpConnectInfo;
use tower_origin::PeerAddr;

use crate::probe::{PROXY, STRANGER, behind_proxies, request, summary};

fn connected(peer: &str) -> Request<()> {
    let headers = ["host: example.org", "x-forwarded-for: 192.0.2.1"];
    let mut request = request("", "/", &headers);
    request.extensions_mut().insert(TcpConnectInfo {
        local_addr: "10.0.0.9:50051".parse().ok(),
        remote_addr: peer.parse().ok(),
    });
    request
}

#[test]
fn origin_13_the_address_that_tonic_inserts_counts() {
    let layer = behind_proxies();
    let from_proxy = "http example.org 80 192.0.2.1 - ";
    assert_eq!(summary(&layer, connected(PROXY)), from_proxy);
    let by_itself = "http example.org 80 203.0.113.7 5000 ";
    assert_eq!(summary(&layer, connected(STRANGER)), by_itself);
    let unknown = "http example.org 80 - - ";
    assert_eq!(summary(&layer, connected("")), unknown);

    let mut request = connected(PROXY);
    let peer = PeerAddr(STRANGER.parse().unwrap());
    request.extensions_mut().insert(peer);
    assert_eq!(summary(&layer, request), by_itself);
}
