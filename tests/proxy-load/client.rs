//! A client that sends numbered requests over some connections, and counts what fails.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use http::Uri;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::BoxError;

#[derive(Default)]
struct Shared {
    next: AtomicU64,
    /// The number of requests by what became of them: a status, or `closed`.
    results: Mutex<BTreeMap<String, u64>>,
    /// Seconds from the beginning to the first and the last failure.
    failures: Mutex<Option<(f64, f64)>>,
}

/// Sends requests with the targets `/0`, `/1` and so on, and prints how many had which result.
pub(crate) async fn run(
    url: &str,
    method: &str,
    count: u64,
    connections: u64,
) -> Result<(), BoxError> {
    let uri: Uri = url.parse()?;
    let authority = uri.authority().ok_or("no authority")?.to_string();
    let shared = Arc::<Shared>::default();
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (shared, authority) = (shared.clone(), authority.clone());
        let method = method.to_owned();
        tasks.push(tokio::spawn(async move {
            let mut stream = None;
            loop {
                let number = shared.next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                let found = exchange(&mut stream, &authority, &method, number).await;
                let name = found.unwrap_or_else(|_| {
                    stream = None;
                    "closed".to_owned()
                });
                if name != "200" {
                    let now = began.elapsed().as_secs_f64();
                    let mut failures = lock(&shared.failures);
                    failures.get_or_insert((now, now)).1 = now;
                }
                *lock(&shared.results).entry(name).or_default() += 1;
            }
        }));
    }
    for task in tasks {
        task.await?;
    }
    let results = lock(&shared.results);
    let results: Vec<String> = results
        .iter()
        .map(|(name, number)| format!("{name}: {number}"))
        .collect();
    let seconds = began.elapsed().as_secs_f64();
    println!("{} in {seconds:.1} s", results.join(", "));
    if let Some((first, last)) = *lock(&shared.failures) {
        println!("failures from {first:.2} s to {last:.2} s");
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the status of a response.
async fn exchange(
    kept: &mut Option<TcpStream>,
    authority: &str,
    method: &str,
    number: u64,
) -> Result<String, BoxError> {
    let stream = match kept {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            kept.insert(stream)
        }
    };
    let body = match method {
        "POST" => "content-length: 4\r\n\r\nbody",
        _ => "\r\n",
    };
    let request = format!("{method} /{number} HTTP/1.1\r\nhost: {authority}\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let mut read = Vec::with_capacity(2048);
    let head = loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err("closed".into());
        }
        if let Some(end) = read.windows(4).position(|end| end == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let field = |name: &str| {
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        fields
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.trim().to_owned())
    };
    let length = field("content-length").map(|length| length.parse::<usize>());
    while read.len() < head + length.clone().unwrap_or(Ok(0))? {
        if stream.read_buf(&mut read).await? == 0 {
            return Err("cut".into());
        }
    }
    if length.is_none() || field("connection").is_some_and(|value| value == "close") {
        *kept = None;
    }
    Ok(text.split(' ').nth(1).unwrap_or_default().to_owned())
}
