//! An upstream that closes idle connections again and again, and counts requests by their number.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::BoxError;

/// The requests so far.
#[derive(Default)]
struct Seen {
    all: u64,
    /// How often each POST has come, by its line.
    posts: HashMap<String, u32>,
}

/// Serves forever. `GET /counts` responds with the number of POSTs that came twice or more, the
/// number of POSTs, and the number of all requests.
pub(crate) async fn run(port: u16, period: u64) -> Result<(), BoxError> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let seen = Arc::<Mutex<Seen>>::default();
    let (sender, ticks) = watch::channel(());
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(Duration::from_millis(period));
        loop {
            interval.tick().await;
            sender.send_replace(());
        }
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (seen, ticks) = (seen.clone(), ticks.clone());
        tokio::spawn(async move {
            // A proxy may end a connection as it likes.
            let _ = serve(stream, &seen, ticks).await;
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Seen>,
    mut ticks: watch::Receiver<()>,
) -> Result<(), BoxError> {
    let mut read = Vec::with_capacity(4096);
    let mut response = b"HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n".to_vec();
    response.resize(response.len() + 1024, b'x');
    // Servers wait longer for the first request than for the next one.
    let mut is_new = true;
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
            tokio::select! {
                biased;
                got = stream.read_buf(&mut read) => if got? == 0 {
                    return Ok(());
                },
                _ = ticks.changed(), if !is_new => if read.is_empty() {
                    return Ok(());
                },
            }
        };
        let text = String::from_utf8_lossy(&read[..head]).into_owned();
        let length = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.map_or(Ok(0), |(_, value)| value.trim().parse())?;
        while read.len() < head + length {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        read.drain(..head + length);
        let line = text.lines().next().unwrap_or_default();
        if line.starts_with("GET /counts ") {
            stream.write_all(counts(seen).as_bytes()).await?;
            return Ok(());
        }
        note(seen, line);
        stream.write_all(&response).await?;
        is_new = false;
        // Idle time begins here.
        ticks.mark_unchanged();
    }
}

fn note(seen: &Mutex<Seen>, line: &str) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.all += 1;
    if line.starts_with("POST ") {
        *seen.posts.entry(line.to_owned()).or_default() += 1;
    }
}

fn counts(seen: &Mutex<Seen>) -> String {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let again = seen.posts.values().filter(|times| **times > 1).count();
    let text = format!("{again} {} {}", seen.posts.len(), seen.all);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}
