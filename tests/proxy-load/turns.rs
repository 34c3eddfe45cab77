//! A client that goes round between proxies in short slices, so that each of them sees the same of
//! what else the machine does. It keeps the time of each response.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde_json::{Value, json};

use super::BoxError;

const CONNECTIONS: usize = 64;
const SLICE: Duration = Duration::from_millis(80);
/// The beginning of a slice, which does not count, because the caches have the last proxy's memory.
const WARM_UP: Duration = Duration::from_millis(5);
/// A time without any response, after which a core counts as stopped, and all requests that are
/// under way as late for that reason. On average there is a response every 20 µs. But a proxy that
/// passes on all requests before the first response is silent for 0.7 ms.
const STOP: Duration = Duration::from_millis(1);
/// The number of parts of the run that have figures of their own.
const PARTS: usize = 5;

/// Goes round between proxies, each `NAME=ADDRESS:PORT`, and prints a line of JSON for each.
pub(crate) fn run(seconds: u64, proxies: &[String]) -> Result<(), BoxError> {
    let proxies = proxies.iter().map(|proxy| Proxy::connect(proxy));
    let mut proxies: Vec<Proxy> = proxies.collect::<Result<_, _>>()?;
    let (began, whole) = (Instant::now(), Duration::from_secs(seconds));
    for round in 0.. {
        let elapsed = began.elapsed();
        if elapsed >= whole {
            break;
        }
        let part = (elapsed.as_nanos() * PARTS as u128 / whole.as_nanos()) as usize;
        // Each round begins with another proxy.
        for at in 0..proxies.len() {
            let at = (round + at) % proxies.len();
            proxies[at].slice(part)?;
        }
    }
    for proxy in &proxies {
        println!("{}", proxy.report());
    }
    Ok(())
}

struct Proxy {
    name: String,
    request: Vec<u8>,
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    parts: [Found; PARTS],
    /// All requests, and the time of all slices, which the CPU time is for.
    requests: usize,
    time: Duration,
}

/// What counts of some slices.
#[derive(Clone, Default)]
struct Found {
    time: Duration,
    /// The number of responses that came in this time.
    count: usize,
    /// How often a core was stopped, and for how long.
    stops: usize,
    stopped: Duration,
    /// The times of the responses.
    all: Vec<Duration>,
    /// The same without those that were under way during a stop.
    awake: Vec<Duration>,
}

impl Proxy {
    fn connect(proxy: &str) -> Result<Self, BoxError> {
        let (name, authority) = proxy.split_once('=').ok_or("no name")?;
        let request = format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n").into_bytes();
        let poll = Poll::new()?;
        let mut connections = Vec::new();
        for at in 0..CONNECTIONS {
            let mut connection = Connection::open(authority.parse()?, &request)?;
            let registry = poll.registry();
            registry.register(&mut connection.stream, Token(at), Interest::READABLE)?;
            connections.push(connection);
        }
        Ok(Self {
            name: name.to_owned(),
            request,
            poll,
            events: Events::with_capacity(CONNECTIONS),
            connections,
            parts: Default::default(),
            requests: 0,
            time: Duration::ZERO,
        })
    }

    /// Has each connection send a request after each response until the slice is over, and waits
    /// for the last responses.
    fn slice(&mut self, part: usize) -> Result<(), BoxError> {
        let found = &mut self.parts[part];
        let began = Instant::now();
        let (counts_from, ends) = (began + WARM_UP, began + SLICE);
        let (mut last, mut resumed) = (began, began);
        for connection in &mut self.connections {
            connection.send(&self.request, began)?;
        }
        let mut under_way = CONNECTIONS;
        while under_way > 0 {
            self.poll.poll(&mut self.events, None)?;
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                if !connection.receive()? {
                    continue;
                }
                let now = Instant::now();
                self.requests += 1;
                under_way -= 1;
                let silence = now - last;
                last = now;
                if silence > STOP {
                    resumed = now;
                }
                if connection.sent >= counts_from {
                    let taken = now - connection.sent;
                    found.all.push(taken);
                    if connection.sent >= resumed {
                        found.awake.push(taken);
                    }
                }
                if now < ends {
                    if now >= counts_from {
                        found.count += 1;
                        if silence > STOP {
                            found.stops += 1;
                            found.stopped += silence;
                        }
                    }
                    connection.send(&self.request, now)?;
                    under_way += 1;
                }
            }
        }
        found.time += SLICE - WARM_UP;
        self.time += began.elapsed();
        Ok(())
    }

    fn report(&self) -> Value {
        let mut whole = Found::default();
        for part in &self.parts {
            whole.time += part.time;
            whole.count += part.count;
            whole.stops += part.stops;
            whole.stopped += part.stopped;
            whole.all.extend(&part.all);
            whole.awake.extend(&part.awake);
        }
        json!({
            "name": self.name,
            "requests": self.requests,
            "seconds": self.time.as_secs_f64(),
            "stops": whole.stops as f64 / whole.time.as_secs_f64(),
            "all": whole.figures(),
            "awake": whole.without_stops().figures(),
            "parts": self.parts.each_ref().map(Found::figures),
        })
    }
}

impl Found {
    /// Returns the same for the time in which no core was stopped.
    fn without_stops(self) -> Self {
        Self {
            time: self.time - self.stopped,
            all: self.awake,
            ..Self {
                awake: Vec::new(),
                all: Vec::new(),
                ..self
            }
        }
    }

    /// Returns the rate, and the percentiles in ms.
    fn figures(&self) -> Value {
        let mut sorted = self.all.clone();
        sorted.sort_unstable();
        let within = |share: f64| match sorted.len() {
            0 => 0.0,
            count => 1e3 * sorted[(share * count as f64) as usize].as_secs_f64(),
        };
        json!({
            "rate": self.count as f64 / self.time.as_secs_f64(),
            "p50": within(0.5),
            "p90": within(0.9),
            "p99": within(0.99),
            "p99.9": within(0.999),
        })
    }
}

struct Connection {
    stream: TcpStream,
    /// The length of each response, and how much of this one has come.
    length: usize,
    read: usize,
    sent: Instant,
}

impl Connection {
    /// Returns a connection that has had a response, whose length is that of all others.
    fn open(address: SocketAddr, request: &[u8]) -> Result<Self, BoxError> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(request)?;
        let (mut read, mut length) = (Vec::new(), None);
        while length.is_none_or(|length| read.len() < length) {
            let mut bytes = [0; 2048];
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Err("a connection was closed".into());
            }
            read.extend(&bytes[..count]);
            length = whole(&read)?;
        }
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            length: read.len(),
            read: 0,
            sent: Instant::now(),
        })
    }

    fn send(&mut self, request: &[u8], now: Instant) -> Result<(), BoxError> {
        // Nothing is in the socket's buffer, so there is room for a request.
        match self.stream.write(request)? == request.len() {
            true => (self.read, self.sent) = (0, now),
            false => return Err("a part of a request was taken".into()),
        }
        Ok(())
    }

    /// Reads what has come, and returns whether the response is whole.
    fn receive(&mut self) -> Result<bool, BoxError> {
        let mut bytes = [0; 2048];
        let count = match self.stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            count => count?,
        };
        let is_ok = self.read > 0 || bytes.starts_with(b"HTTP/1.1 200 ");
        self.read += count;
        if count == 0 || !is_ok || self.read > self.length {
            return Err("a connection was closed, or a response is another one".into());
        }
        Ok(self.read == self.length)
    }
}

/// Returns the length of a response with its head, if that has come.
fn whole(read: &[u8]) -> Result<Option<usize>, BoxError> {
    let Some(end) = read.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = str::from_utf8(&read[..end])?.to_ascii_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.ok_or("no length")?.trim().parse()?;
    Ok(Some(end + 4 + length))
}
