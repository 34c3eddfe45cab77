//! Addresses and sockets, and the errors of those that cannot be used.

use std::net::TcpListener;

use super::*;

async fn error_of(address: &str) -> io::Error {
    let server = Server::new(address.parse().unwrap());
    server.bind().await.unwrap_err()
}

#[tokio::test]
async fn serve_16_an_error_names_a_port_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let error = error_of(&address.to_string()).await;
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    let text = error.to_string();
    let start = format!("cannot listen on {address}: ");
    assert!(text.starts_with(&start), "{text}");
    let end = " (another program has this port: end it, or choose another port)";
    assert!(text.ends_with(end), "{text}");
}

#[tokio::test]
async fn serve_16_an_error_names_an_address_of_another_machine() {
    let error = error_of("192.0.2.1:80").await;
    assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    let text = error.to_string();
    assert!(
        text.starts_with("cannot listen on 192.0.2.1:80: "),
        "{text}"
    );
    assert!(text.contains("no interface of this machine"), "{text}");
}

#[tokio::test]
async fn serve_16_a_name_is_looked_up() {
    let server = Server::new("localhost:0".parse().unwrap());
    let server = server.bind().await.unwrap();
    let address = server.addresses().next().unwrap();
    assert!(
        address.starts_with("http://127.0.0.1:") || address.starts_with("http://[::1]:"),
        "{address}"
    );
}

#[tokio::test]
async fn serve_16_serve_returns_an_error_for_an_invalid_address() {
    let error = tower_serve::serve("8080", echo_path()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let text = error.to_string();
    assert!(text.starts_with("`8080` has no host"), "{text}");
}

#[tokio::test]
async fn serve_16_the_address_can_be_replaced() {
    let server = Server::new("192.0.2.1:80".parse().unwrap());
    let server = server.address("127.0.0.1:0".parse().unwrap());
    assert!(server.bind().await.is_ok());
}

#[cfg(unix)]
pub(super) use unix::path;

#[cfg(unix)]
mod unix {
    use std::{
        fs,
        os::unix::net::{UnixDatagram, UnixListener},
        path::{Path, PathBuf},
    };

    use tokio::net::UnixStream;
    use tower_origin::PeerAddr;

    use super::*;

    /// Returns a path for one test. It is short, as the system demands.
    pub(in super::super) fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("td-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    fn at(path: &Path) -> Server {
        Server::new(format!("unix:{}", path.display()).parse().unwrap())
    }

    async fn serve(path: &Path) -> (ShutdownTrigger, JoinHandle<io::Result<()>>) {
        let bound = at(path).drain_timeout(ms(100)).bind().await.unwrap();
        let address = format!("unix:{}", path.display());
        assert_eq!(Vec::from_iter(bound.addresses()), [address]);
        let (trigger, shutdown) = Shutdown::manual();
        let service = service(async |request: Request<RequestBody>| {
            if request.uri().path() == "/stuck" {
                std::future::pending::<()>().await;
            }
            let peer = request.extensions().get::<PeerAddr>();
            Body::from(format!("{peer:?}"))
        });
        (trigger, tokio::spawn(bound.serve(service, shutdown)))
    }

    async fn connect(path: &Path) -> Client<UnixStream> {
        Client(UnixStream::connect(path).await.unwrap())
    }

    async fn assert_refused(path: &Path, kind: io::ErrorKind, end: &str) {
        let error = at(path).bind().await.unwrap_err();
        let expected = format!("cannot listen on unix:{}: ", path.display());
        let text = error.to_string();
        assert!(text.starts_with(&expected), "{text}");
        assert!(text.ends_with(end), "{text}");
        assert_eq!(error.kind(), kind);
    }

    #[tokio::test]
    async fn serve_17_a_request_over_a_unix_socket_has_no_peer() {
        let path = path("peer");
        let (_trigger, _task) = serve(&path).await;
        assert!(connect(&path).await.get("/").await.ends_with("None"));
    }

    #[tokio::test]
    async fn serve_16_the_file_is_removed_at_the_end() {
        let path = path("served");
        let (trigger, task) = serve(&path).await;
        connect(&path).await.get("/").await;
        trigger.signal();
        timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn serve_16_the_file_is_removed_however_serving_ends() {
        let path = path("fails");
        let (trigger, task) = serve(&path).await;
        let mut client = connect(&path).await;
        client.send("GET /stuck HTTP/1.1\r\nhost: a\r\n\r\n").await;
        tokio::time::sleep(ms(50)).await;
        trigger.signal();
        let error = timeout(PATIENCE, task).await.unwrap().unwrap();
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(!path.exists());

        let (_trigger, task) = serve(&path).await;
        connect(&path).await.get("/").await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(!path.exists());

        drop(at(&path).bind().await.unwrap());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn serve_16_a_file_without_a_listener_is_replaced() {
        let path = path("stale");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_trigger, _task) = serve(&path).await;
        assert!(connect(&path).await.get("/").await.ends_with("None"));
    }

    #[tokio::test]
    async fn serve_16_a_file_with_a_listener_stays() {
        let path = path("live");
        let (_trigger, _task) = serve(&path).await;
        let end = ": another server answers there (end it, or choose another path)";
        assert_refused(&path, io::ErrorKind::AddrInUse, end).await;
        assert!(connect(&path).await.get("/").await.ends_with("None"));
    }

    #[tokio::test]
    async fn serve_16_other_files_stay() {
        let path = path("file");
        fs::write(&path, "precious").unwrap();
        let end = ": there is a file that is not a socket (remove it, or choose another path)";
        assert_refused(&path, io::ErrorKind::AlreadyExists, end).await;
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        fs::remove_file(&path).unwrap();

        let _datagrams = UnixDatagram::bind(&path).unwrap();
        let end = " (remove it, or choose another path)";
        assert_refused(&path, io::ErrorKind::AddrInUse, end).await;
        assert!(path.exists());
    }

    #[tokio::test]
    async fn serve_16_a_file_that_replaced_the_servers_own_stays() {
        let path = path("replaced");
        let (trigger, task) = serve(&path).await;
        fs::remove_file(&path).unwrap();
        let (_trigger, _task) = serve(&path).await;
        trigger.signal();
        timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
        assert!(connect(&path).await.get("/").await.ends_with("None"));
    }

    #[tokio::test]
    async fn serve_16_an_error_names_a_missing_directory() {
        let end = " (create its directory first)";
        let path = Path::new("/nowhere/site.sock");
        assert_refused(path, io::ErrorKind::NotFound, end).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn serve_16_another_server_gets_the_sockets() {
    let path = path("handed-on.sock");
    let server = Server::new(format!("unix:{}", path.display()).parse().unwrap());
    let mut sockets = server.bind().await.unwrap().into_sockets();
    let Some(tower_serve::Socket::Unix(listener, guard)) = sockets.next() else {
        panic!("one Unix socket");
    };
    let (client, accepted) =
        tokio::join!(tokio::net::UnixStream::connect(&path), listener.accept());
    assert!(client.is_ok() && accepted.is_ok());
    drop(guard);
    assert!(!path.exists());
    assert!(sockets.next().is_none());
}
