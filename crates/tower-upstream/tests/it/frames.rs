//! A peer that speaks HTTP/2 frame by frame (RFC 9113, section 4), so that a test can break every
//! rule.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const INITIAL_WINDOW_SIZE: u16 = 4;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;

/// `:status: 200`, of the static table of HPACK.
const STATUS_200: &[u8] = &[0x88];

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn ends(&self) -> bool {
        self.flags & END_STREAM != 0
    }

    /// Returns the error code of an RST_STREAM or a GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

pub(crate) struct Frames(TcpStream);

impl Frames {
    /// Accepts a connection, and begins it as a server.
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        Self::accept_with(listener, &[]).await
    }

    /// Accepts a connection, and gives its streams wide windows.
    pub(crate) async fn accept_wide(listener: &TcpListener) -> Self {
        let width: u32 = 1 << 20;
        let mut this = Self::accept_with(listener, &[(INITIAL_WINDOW_SIZE, width)]).await;
        this.write(WINDOW_UPDATE, 0, 0, &width.to_be_bytes()).await;
        this
    }

    /// The settings are numbers and values (RFC 9113, section 6.5.2).
    async fn accept_with(listener: &TcpListener, settings: &[(u16, u32)]) -> Self {
        let accepted = timeout(Duration::from_secs(10), listener.accept()).await;
        let (stream, _) = accepted.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut this = Self(stream);
        let mut preface = [0; PREFACE.len()];
        this.0.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE);
        let settings = settings.iter().flat_map(|(number, value)| {
            number.to_be_bytes().into_iter().chain(value.to_be_bytes())
        });
        this.write(SETTINGS, 0, 0, &settings.collect::<Vec<_>>())
            .await;
        this
    }

    /// Connects as a client.
    pub(crate) async fn connect(server: std::net::SocketAddr) -> Self {
        let mut this = Self(TcpStream::connect(server).await.unwrap());
        this.0.write_all(PREFACE).await.unwrap();
        this.write(SETTINGS, 0, 0, &[]).await;
        this
    }

    pub(crate) async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// Returns the next frame that is about a request. `None` is the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let next = timeout(Duration::from_secs(10), self.read());
        next.await.expect("a frame comes")
    }

    async fn read(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [_, a, b, kind, flags, stream @ ..] = head;
            let length = usize::from(head[0]) << 16 | usize::from(a) << 8 | usize::from(b);
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.ok()?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.write(SETTINGS, ACK, 0, &[]).await,
                PING if flags & ACK == 0 => self.write(PING, ACK, 0, &payload).await,
                SETTINGS | PING | WINDOW_UPDATE => {}
                _ => {
                    let stream = u32::from_be_bytes(stream);
                    return Some(Frame {
                        kind,
                        flags,
                        stream,
                        payload,
                    });
                }
            }
        }
    }

    /// Returns the stream of the next request, with its body.
    pub(crate) async fn request(&mut self) -> (u32, Vec<u8>) {
        let head = self.next().await.unwrap();
        assert_eq!(head.kind, HEADERS, "{head:?}");
        let (mut body, mut ends) = (Vec::new(), head.ends());
        while !ends {
            let frame = self.next().await.unwrap();
            assert_eq!((frame.kind, frame.stream), (DATA, head.stream), "{frame:?}");
            body.extend(&frame.payload);
            ends = frame.ends();
        }
        (head.stream, body)
    }

    /// Sends a head with status 200 and these fields, which may be the whole response.
    pub(crate) async fn head(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) {
        let block = [STATUS_200, &block(fields)].concat();
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.write(HEADERS, flags, stream, &block).await;
    }

    /// Sends an informational head with this status.
    pub(crate) async fn inform(&mut self, stream: u32, status: &str) {
        // A literal with the name `:status`, which has an index.
        let block = [&[0x08, 3], status.as_bytes(), &block(&[("link", "</a>")])].concat();
        self.write(HEADERS, END_HEADERS, stream, &block).await;
    }

    /// Sends a GET, as a client.
    pub(crate) async fn get(&mut self, stream: u32) {
        // `:method: GET`, `:scheme: http` and `:path: /` are in the static table, and `:authority`
        // has its index.
        let block = [&[0x82, 0x86, 0x84, 0x01, 1][..], b"h"].concat();
        let flags = END_HEADERS | END_STREAM;
        self.write(HEADERS, flags, stream, &block).await;
    }

    pub(crate) async fn data(&mut self, stream: u32, data: &str, ends: bool) {
        let flags = if ends { END_STREAM } else { 0 };
        self.write(DATA, flags, stream, data.as_bytes()).await;
    }

    pub(crate) async fn respond(&mut self, stream: u32, text: &str) {
        self.head(stream, &[], false).await;
        self.data(stream, text, true).await;
    }

    pub(crate) async fn reset(&mut self, stream: u32, code: u32) {
        self.write(RST_STREAM, 0, stream, &code.to_be_bytes()).await;
    }

    pub(crate) async fn go_away(&mut self, last: u32, code: u32) {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.write(GOAWAY, 0, 0, &payload).await;
    }
}

/// Fields in HPACK, as literals without an index (RFC 7541, section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "one byte is its length");
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    }
    block
}
