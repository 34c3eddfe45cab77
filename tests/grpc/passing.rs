//! Calls that nothing rejects.

use tonic::Code;

use crate::{
    client::Options,
    echo::{Call, IN_HEAD, IN_TRAILERS},
    layers::LAYERS,
    server::each_way,
};

#[tokio::test]
async fn calls_pass_each_layer_and_all_of_them() {
    for (name, prefix, layers) in LAYERS {
        each_way(layers, async |client, way| {
            for call in Call::ALL {
                let path = format!("{prefix}{}", call.path());
                let reply = client.call(call, &path, Options::default()).await;
                let what = format!("{name}: {call:?} by {way:?}: {reply:?}");
                assert_eq!(reply.code, Code::Ok, "{what}");
                let expected: &[&str] = match call {
                    Call::Unary | Call::ClientStream => &["one,two,three"],
                    Call::ServerStream | Call::Bidirectional => &["one", "two", "three"],
                };
                assert_eq!(reply.messages, expected, "{what}");
                assert_eq!(reply.metadata(IN_HEAD), Some("sent"), "{what}");
                assert_eq!(reply.metadata(IN_TRAILERS), Some("sent"), "{what}");
                assert!(reply.speaks(way.wire), "{what}");
            }
        })
        .await;
    }
}
