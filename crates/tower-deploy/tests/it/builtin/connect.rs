//! CONNECT to the built-in apps over a socket. None of them opens a tunnel by mistake.

use std::net::SocketAddr;

use http_body_util::Empty;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower_serve::{Address, Server, Shutdown};

use super::*;

/// The status and the content of a response.
type Seen = (u16, Vec<u8>);

/// The server closes the connection after the response.
async fn over_1(address: SocketAddr) -> Seen {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    let (head, content) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, content.into())
}

async fn over_2(address: SocketAddr) -> Seen {
    let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = handshake(TokioExecutor::new(), socket).await.unwrap();
    tokio::spawn(connection);
    let request = Request::connect("a:80").body(Empty::<Bytes>::new());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let content = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), content.into())
}

#[tokio::test]
async fn connect_gets_a_response_from_every_built_in_app() {
    for (main, status) in [
        ("[app:main]\nuse = egg:tower#text\ntext = page", 501),
        (
            "[app:main]\nuse = egg:tower#text\ntext = page\nstatus = 404",
            404,
        ),
        ("[app:main]\nuse = egg:tower#redirect\nlocation = /", 307),
        ("[app:main]\nuse = egg:tower#checksum", 501),
        (
            "[app:main]\nuse = egg:tower#static\ndocument_root = %(here)s",
            404,
        ),
        (
            "[composite:main]\nuse = egg:tower#router\nurlpatterns = GET / page",
            404,
        ),
        (
            "[composite:main]\nuse = egg:tower#router\nurlpatterns = * ^ page",
            501,
        ),
        ("[composite:main]\nuse = egg:tower#urlmap\n/ = page", 501),
        (
            "[composite:main]\nuse = egg:tower#urlmap\n/below = page",
            404,
        ),
        (
            "[composite:main]\nuse = egg:tower#cascade\napp1 = page",
            501,
        ),
        #[cfg(feature = "proxy")]
        (
            "[app:main]\nuse = egg:tower#proxy\naddress = http://127.0.0.1:9",
            501,
        ),
    ] {
        let file = format!("{main}\n[app:page]\nuse = egg:tower#text\ntext = page\n");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("site.ini");
        let loader = Loader::new(Registry::standard()).files(move |_| Ok(file.clone().into()));
        let app = loader
            .load_app(&format!("config:{}", here.display()))
            .unwrap();
        let bound = Server::new(Address::Tcp("127.0.0.1:0".to_owned())).bind();
        let bound = bound.await.unwrap();
        let address = bound.addresses().next().unwrap();
        let address = address.strip_prefix("http://").unwrap().parse().unwrap();
        let (_trigger, shutdown) = Shutdown::manual();
        tokio::spawn(bound.serve(app, shutdown));
        let seen = over_1(address).await;
        assert_eq!(seen.0, status, "{main}");
        assert_eq!(over_2(address).await, seen, "{main}");
    }
}
