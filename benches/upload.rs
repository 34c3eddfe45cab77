//! Sends a gigabyte past a service that responds with 404 without reading it, to one that hashes
//! it. Checks the hash, and measures the server's memory, beside a server without a cascade.
//!
//! `cargo run --release -p benches --bin upload` prints for HTTP/1 and HTTP/2, with and without:
//!
//! ```text
//! upload VERSION SERVER SECONDS s, PEAK KiB
//! ```
//!
//! and for each version the difference of the peaks. It fails if a hash is wrong or a difference is
//! more than 2 MiB. The peak comes from Linux (`VmHWM`).

use std::{
    convert::Infallible,
    env,
    error::Error,
    io::{BufRead, BufReader, Read},
    pin::pin,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};
use tower_cascade::CascadeLayer;

const CHUNK: usize = 64 << 10;
const CHUNKS: u64 = 1 << 14;
/// The memory that the cascade may take more, in KiB.
const MORE: i64 = 2 << 10;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("with") => serve(CascadeLayer::new(service_fn(no_answer)).layer(service_fn(hashes))),
        Some("without") => serve(service_fn(hashes)),
        _ => measure(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upload: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn no_answer<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

async fn hashes<B: Body<Data = Bytes>>(
    request: Request<B>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut hash = Sha256::new();
    let mut body = pin!(request.into_body());
    while let Some(Ok(frame)) = body.frame().await {
        hash.update(frame.data_ref().map_or(&[][..], |data| data));
    }
    Ok(Response::new(
        Bytes::copy_from_slice(&hash.finalize()).into(),
    ))
}

/// Serves one connection on a port that it prints, and then prints its peak.
#[tokio::main(worker_threads = 1)]
async fn serve<S, B>(app: S) -> Result<(), Failure>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<Failure>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let (stream, _) = listener.accept().await?;
    let server = auto::Builder::new(TokioExecutor::new());
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    connection.await?;
    println!("{}", benches::peak_memory()?);
    Ok(())
}

fn measure() -> Result<(), Failure> {
    let mut hash = Sha256::new();
    (0..CHUNKS).for_each(|number| hash.update(chunk(number)));
    let hash = hash.finalize();
    let mut failed = false;
    for version in ["HTTP/1", "HTTP/2"] {
        let mut peaks = Vec::new();
        for server in ["without", "with"] {
            let mut child = Command::new(env::current_exe()?)
                .arg(server)
                .stdout(Stdio::piped())
                .spawn()?;
            let mut said = BufReader::new(child.stdout.take().ok_or("a child without an output")?);
            let mut address = String::new();
            said.read_line(&mut address)?;
            let start = Instant::now();
            let seen = upload(address.trim(), version == "HTTP/2")?;
            let seconds = start.elapsed().as_secs_f64();
            let mut peak = String::new();
            said.read_to_string(&mut peak)?;
            child.wait()?;
            let peak: i64 = peak.trim().parse()?;
            println!("upload {version} {server} {seconds:.1} s, {peak} KiB");
            if seen != hash[..] {
                println!("upload {version} {server}: the hash is wrong");
                failed = true;
            }
            peaks.push(peak);
        }
        let more = peaks[1] - peaks[0];
        println!("upload {version} differs by {more} KiB");
        failed |= more > MORE;
    }
    match failed {
        true => Err("a hash is wrong, or the cascade takes too much memory".into()),
        false => Ok(()),
    }
}

/// No two chunks are alike, so that one that is lost or repeated is noticed.
fn chunk(number: u64) -> Bytes {
    number.to_le_bytes().repeat(CHUNK / 8).into()
}

/// Sends all chunks, and returns the response.
#[tokio::main(flavor = "current_thread")]
async fn upload(address: &str, is_http2: bool) -> Result<Bytes, Failure> {
    let frames = (0..CHUNKS).map(|number| Ok::<_, Infallible>(Frame::data(chunk(number))));
    let request = Request::put(format!("http://{address}/"));
    let request = request.body(StreamBody::new(stream::iter(frames)))?;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .build_http();
    let response = client.request(request).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}
