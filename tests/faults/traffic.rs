//! Normal clients. Whatever else happens, each of their requests must succeed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{StatusCode, Version};
use http_body_util::{BodyExt, Full};
use sha2::{Digest, Sha256};
use tokio::{task::JoinSet, time::sleep};

use crate::{Failure, connection::Connection, site::page_as_sent};

const CLIENTS: [Version; 5] = [
    Version::HTTP_11,
    Version::HTTP_11,
    Version::HTTP_11,
    Version::HTTP_11,
    Version::HTTP_2,
];
const UPLOAD: usize = 100 << 10;
/// Between two requests of a client, so that the faults have something of the processor, too.
const PAUSE: Duration = Duration::from_millis(10);
/// This number of failures is shown; all of them are counted.
const SHOWN: usize = 3;

#[derive(Default)]
pub(crate) struct Report {
    times: Vec<Duration>,
    pub(crate) failed: usize,
    pub(crate) failures: Vec<String>,
}

impl Report {
    pub(crate) fn requests(&self) -> usize {
        self.times.len() + self.failed
    }

    fn failed(&mut self, failure: &Failure) {
        self.failed += 1;
        if self.failures.len() < SHOWN {
            self.failures.push(format!("a normal request: {failure}"));
        }
    }

    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.failures.truncate(SHOWN);
    }

    /// A percentile of the times of requests, in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).map_or(f64::NAN, Duration::as_secs_f64) * 1000.0
    }
}

pub(crate) struct Normal {
    clients: JoinSet<Report>,
    ends: Arc<AtomicBool>,
    /// How many requests have failed by now.
    pub(crate) failed: Arc<AtomicUsize>,
}

impl Normal {
    /// Connects all clients, and only then lets them send requests.
    pub(crate) async fn start(address: &str) -> Result<Self, Failure> {
        let mut connections = Vec::new();
        for version in CLIENTS {
            connections.push((version, Connection::open(address, version).await?));
        }
        let mut normal = Self {
            clients: JoinSet::new(),
            ends: Arc::default(),
            failed: Arc::default(),
        };
        for (number, (version, connection)) in connections.into_iter().enumerate() {
            let client = Client {
                number,
                version,
                address: address.to_owned(),
                connection: Some(connection),
            };
            let (ends, failed) = (normal.ends.clone(), normal.failed.clone());
            normal.clients.spawn(async move {
                let mut report = Report::default();
                client.run(&ends, &failed, &mut report).await;
                report
            });
        }
        Ok(normal)
    }

    /// Lets requests under way finish, and closes the connections.
    pub(crate) async fn stop(mut self) -> Result<Report, Failure> {
        self.ends.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        while let Some(report) = self.clients.join_next().await {
            all.add(report?);
        }
        Ok(all)
    }
}

struct Client {
    number: usize,
    version: Version,
    address: String,
    connection: Option<Connection>,
}

impl Client {
    async fn run(mut self, ends: &AtomicBool, failed: &AtomicUsize, report: &mut Report) {
        let page = page_as_sent();
        let upload = upload(self.number);
        let hash = Sha256::digest(&upload);
        for turn in 0_u64.. {
            if ends.load(Ordering::Relaxed) {
                return;
            }
            let start = Instant::now();
            let done = match turn % 2 {
                0 => {
                    self.ask("GET", "/page", Bytes::new(), page.as_bytes())
                        .await
                }
                _ => self.ask("PUT", "/upload", upload.clone(), &hash).await,
            };
            match done {
                Ok(()) => report.times.push(start.elapsed()),
                Err(failure) => {
                    report.failed(&failure);
                    failed.fetch_add(1, Ordering::Relaxed);
                    self.connection = None;
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Uses the same connection until it fails.
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Bytes,
        expected: &[u8],
    ) -> Result<(), Failure> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.address, self.version).await?),
        };
        let body = Full::new(body).map_err(|never| match never {});
        let (status, body) = connection.whole(method, path, body.boxed_unsync()).await?;
        match (status, &body[..] == expected) {
            (StatusCode::OK, true) => Ok(()),
            (StatusCode::OK, false) => Err(format!("{method} {path}: a wrong body").into()),
            _ => Err(format!("{method} {path}: {status}").into()),
        }
    }
}

/// Each client sends a body of its own, so that bodies that are mixed up are noticed.
fn upload(number: usize) -> Bytes {
    let bytes = (0..UPLOAD).map(|index| (index * 31 + index / 251 + number) as u8);
    bytes.collect()
}
