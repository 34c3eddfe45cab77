//! A FastCGI or SCGI program that does what a test says.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A program that listens. It ends when it is dropped.
pub(crate) struct Program {
    pub(crate) address: String,
    pub(crate) accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Program {
    /// Runs the function for each connection.
    pub(crate) async fn start<F>(serve: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accepted: Arc<AtomicUsize> = Arc::default();
        let count = accepted.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(Connection { stream }));
            }
        });
        Self {
            address,
            accepted,
            task,
        }
    }

    /// Responds to every FastCGI request with these bytes of STDOUT, and closes the connection.
    pub(crate) async fn responding(stdout: impl Into<Vec<u8>>) -> Self {
        let stdout = stdout.into();
        Self::start(move |mut connection| {
            let stdout = stdout.clone();
            async move {
                connection.request().await;
                connection.stdout(&stdout).await;
                connection.end(0).await;
            }
        })
        .await
    }

    pub(crate) fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request as the program sees it.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) keep: bool,
}

impl Received {
    pub(crate) fn map(&self) -> BTreeMap<String, String> {
        self.variables.iter().cloned().collect()
    }

    /// Returns the variables, one a line, sorted.
    pub(crate) fn lines(&self) -> String {
        let map = self.map();
        assert_eq!(map.len(), self.variables.len(), "a variable is repeated");
        map.iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()
    }
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
}

impl Connection {
    pub(crate) async fn record(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0; 8];
        self.stream.read_exact(&mut header).await.ok()?;
        assert_eq!(
            (header[0], header[2], header[3]),
            (1, 0, 1),
            "version 1, id 1"
        );
        let length = u16::from_be_bytes([header[4], header[5]]);
        let mut content = vec![0; usize::from(length) + usize::from(header[6])];
        self.stream.read_exact(&mut content).await.ok()?;
        content.truncate(length.into());
        Some((header[1], content))
    }

    /// Reads the head of a FastCGI request: BEGIN_REQUEST and all PARAMS.
    pub(crate) async fn head(&mut self) -> Option<Received> {
        let (kind, begin) = self.record().await?;
        assert_eq!((kind, begin[1]), (1, 1), "BEGIN_REQUEST of a responder");
        let mut params = Vec::new();
        loop {
            let (kind, content) = self.record().await?;
            assert_eq!(kind, 4, "PARAMS");
            if content.is_empty() {
                break;
            }
            params.extend(pairs(&content));
        }
        Some(Received {
            variables: params,
            body: Vec::new(),
            keep: begin[2] == 1,
        })
    }

    /// Reads a whole FastCGI request.
    pub(crate) async fn try_request(&mut self) -> Option<Received> {
        let mut received = self.head().await?;
        loop {
            let (kind, content) = self.record().await?;
            assert_eq!(kind, 5, "STDIN");
            if content.is_empty() {
                return Some(received);
            }
            received.body.extend(content);
        }
    }

    pub(crate) async fn request(&mut self) -> Received {
        self.try_request().await.expect("a whole request")
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The gateway may have closed the connection.
        let _ = self.stream.write_all(bytes).await;
    }

    pub(crate) async fn send(&mut self, kind: u8, content: &[u8]) {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut record = vec![1, kind, 0, 1, high, low, 0, 0];
        record.extend(content);
        self.write(&record).await;
    }

    pub(crate) async fn stdout(&mut self, content: &[u8]) {
        for content in content.chunks(30_000) {
            self.send(6, content).await;
        }
    }

    pub(crate) async fn end(&mut self, status: u8) {
        self.send(3, &[0, 0, 0, 0, status, 0, 0, 0]).await;
    }

    /// Waits until the other side has closed the connection, and returns what came before.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is a close, too.
        let _ = self.stream.read_to_end(&mut rest).await;
        rest
    }

    /// Reads the head of an SCGI request.
    pub(crate) async fn netstring(&mut self) -> Received {
        let mut length = 0;
        loop {
            match self.stream.read_u8().await.unwrap() {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut content = vec![0; length + 1];
        self.stream.read_exact(&mut content).await.unwrap();
        assert_eq!(content.pop(), Some(b','));
        let mut texts = content
            .split(|byte| *byte == 0)
            .map(|text| String::from_utf8_lossy(text).into_owned());
        let mut variables = Vec::new();
        while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            variables.push((name, value));
        }
        Received {
            variables,
            body: Vec::new(),
            keep: false,
        }
    }

    /// Reads a body of this length.
    pub(crate) async fn exact(&mut self, length: usize) -> Vec<u8> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        body
    }
}

/// Reads the pairs of one record. A pair that is cut is a panic.
fn pairs(mut content: &[u8]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while !content.is_empty() {
        let [name, value] = [0; 2].map(|_| match content[0] {
            short @ 0..128 => {
                content = &content[1..];
                usize::from(short)
            }
            _ => {
                let length = u32::from_be_bytes(content[..4].try_into().unwrap());
                content = &content[4..];
                (length & 0x7FFF_FFFF) as usize
            }
        });
        let mut text = |length: usize| {
            let text = String::from_utf8_lossy(&content[..length]).into_owned();
            content = &content[length..];
            text
        };
        pairs.push((text(name), text(value)));
    }
    pairs
}
