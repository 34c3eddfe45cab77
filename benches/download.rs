//! Measures the memory that the prefix layer takes for difficult bodies, beside the same bodies
//! without it.
//!
//! `cargo run --release -p benches --bin download` prints for a body of 1 GiB without a newline,
//! one of 1 GiB of newlines, both in frames of 64 KiB, and one of a single frame of 64 MiB of
//! newlines, with and without the layer, each in a process of its own:
//!
//! ```text
//! download BODY LAYER BYTES bytes, SECONDS s, PEAK KiB
//! ```
//!
//! and for each body the difference of the peaks. It fails if bytes are missing or a difference is
//! more than 4 MiB. The peak comes from Linux (`VmHWM`).

use std::{
    convert::Infallible,
    env,
    pin::pin,
    process::{Command, ExitCode},
    time::Instant,
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_body_rewrite::PrefixLayer;

const PREFIX: &str = "yikes: ";
/// The memory that the layer may take more, in KiB.
const MORE: i64 = 4 << 10;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A body: its byte, the length of its frames and how many there are.
type Case = (&'static str, u8, usize, usize);

const CASES: [Case; 3] = [
    ("no-newline", b'x', 64 << 10, 1 << 14),
    ("newlines", b'\n', 64 << 10, 1 << 14),
    ("one-frame-of-newlines", b'\n', 64 << 20, 1),
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.as_slice() {
        [case, layer] => CASES
            .iter()
            .find(|(name, ..)| name == case)
            .ok_or_else(|| format!("there is no body {case}").into())
            .and_then(|case| child(*case, layer == "with")),
        _ => measure(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("download: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failure> {
    let mut failed = false;
    for (case, byte, frame, frames) in CASES {
        let mut peaks = Vec::new();
        for layer in ["without", "with"] {
            let start = Instant::now();
            let child = Command::new(env::current_exe()?)
                .args([case, layer])
                .output()?;
            let seconds = start.elapsed().as_secs_f64();
            let said = String::from_utf8(child.stdout)?;
            let (bytes, peak) = said
                .trim()
                .split_once(' ')
                .ok_or("a child that says nothing")?;
            println!("download {case} {layer} {bytes} bytes, {seconds:.1} s, {peak} KiB");
            let lines = if byte == b'\n' { frame * frames } else { 1 };
            let prefixes = if layer == "with" {
                lines * PREFIX.len()
            } else {
                0
            };
            if bytes.parse() != Ok(frame * frames + prefixes) {
                println!("download {case} {layer}: bytes are missing");
                failed = true;
            }
            peaks.push(peak.parse::<i64>()?);
        }
        let more = peaks[1] - peaks[0];
        println!("download {case} differs by {more} KiB");
        failed |= more > MORE;
    }
    match failed {
        true => Err("bytes are missing, or the layer takes too much memory".into()),
        false => Ok(()),
    }
}

/// Reads the body to its end, and prints its length and the peak.
fn child((_, byte, frame, frames): Case, with_layer: bool) -> Result<(), Failure> {
    let app = service_fn(move |_: Request<()>| {
        let frames =
            (0..frames).map(move |_| Ok::<_, Infallible>(Frame::data(vec![byte; frame].into())));
        let mut response = Response::new(StreamBody::new(stream::iter(frames)));
        let text = HeaderValue::from_static("text/plain");
        response.headers_mut().insert(CONTENT_TYPE, text);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let bytes = match with_layer {
        true => read(PrefixLayer::new(PREFIX).layer(app)),
        false => read(app),
    }?;
    println!("{bytes} {}", benches::peak_memory()?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn read<S, B>(app: S) -> Result<usize, Failure>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error = Infallible>,
{
    let mut body = pin!(app.oneshot(Request::new(())).await?.into_body());
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(bytes)
}
