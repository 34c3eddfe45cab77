//! A server for HTTP/1 and HTTP/2 that ends well.

use std::{convert::Infallible, io, pin::pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{sleep, timeout},
};
use tower::{BoxError, Service};

/// How long a client may be silent, and how long it may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long open requests may take after the signal to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `shutdown`, then lets open requests finish.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    app: S,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let (serving, ended) = watch::channel(());
    let mut shutdown = pin!(shutdown);

    loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, most often. It passes when some are closed.
                    eprintln!("cannot accept a connection: {error}");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        // It is only faster with it, so it may fail.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(app.clone());
        let server = server.clone();
        let watcher = graceful.watcher();
        let mut ended = ended.clone();
        tokio::spawn(async move {
            // The server's own timeout begins when it knows which version of HTTP this is.
            tokio::select! {
                spoke = timeout(HEADER_TIMEOUT, stream.readable()) => match spoke {
                    Ok(Ok(())) => {}
                    _ => return,
                },
                _ = ended.changed() => return,
            }
            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                eprintln!("a connection broke off: {error}");
            }
        });
    }

    // No new connection is taken from here on, and none that has not spoken is waited for.
    drop((listener, serving));
    tokio::select! {
        () = graceful.shutdown() => Ok(()),
        () = sleep(DRAIN_TIMEOUT) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "some requests did not finish in time after the signal to end",
        )),
    }
}
