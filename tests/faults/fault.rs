//! The faults: which clients, how many of them, how often.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

use crate::{clients, random::Random};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    StopsReading,
    Resets,
    ByteASecond,
    AbortsUpload,
    RapidResets,
    Connections,
    Hangs,
    Panics,
    Drops,
    Floods,
}

impl Fault {
    pub(crate) const ALL: [Self; 10] = [
        Self::StopsReading,
        Self::Resets,
        Self::ByteASecond,
        Self::AbortsUpload,
        Self::RapidResets,
        Self::Connections,
        Self::Hangs,
        Self::Panics,
        Self::Drops,
        Self::Floods,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::StopsReading => "stops reading",
            Self::Resets => "resets",
            Self::ByteASecond => "byte a second",
            Self::AbortsUpload => "aborts uploads",
            Self::RapidResets => "resets streams",
            Self::Connections => "connections",
            Self::Hangs => "app hangs",
            Self::Panics => "app panics",
            Self::Drops => "app drops",
            Self::Floods => "app floods",
        }
    }

    /// How many files the server may have open.
    pub(crate) fn files(self) -> Option<u32> {
        matches!(self, Self::Connections).then_some(256)
    }

    /// The number of clients at once, and the pause of each between two turns. Both are bounded, so
    /// that neither ports nor the processor run out.
    fn rate(self) -> (usize, Duration) {
        let (clients, millis) = match self {
            Self::StopsReading => (16, 100),
            Self::Resets => (8, 10),
            Self::ByteASecond => (64, 100),
            Self::AbortsUpload => (8, 40),
            Self::RapidResets => (4, 20),
            Self::Connections => (400, 50),
            Self::Hangs => (32, 100),
            Self::Panics => (4, 10),
            Self::Drops => (4, 40),
            Self::Floods => (2, 40),
        };
        (clients, Duration::from_millis(millis))
    }

    /// Starts the clients. Each gives up if the server does not behave as it should. Dropping the
    /// set closes all their connections.
    pub(crate) fn start(self, address: &str) -> JoinSet<String> {
        let (clients, pause) = self.rate();
        self.start_some(address, clients, pause)
    }

    pub(crate) fn start_some(
        self,
        address: &str,
        clients: usize,
        pause: Duration,
    ) -> JoinSet<String> {
        let mut running = JoinSet::new();
        for number in 1..=clients {
            let (address, mut random) = (address.to_owned(), Random::new(number));
            running.spawn(async move {
                // Not all at the same time.
                sleep(random.millis(100)).await;
                loop {
                    let turn = match self {
                        Self::StopsReading => clients::stops_reading(&address, &mut random).await,
                        Self::Resets => clients::resets(&address, &mut random).await,
                        Self::ByteASecond => clients::byte_a_second(&address, &mut random).await,
                        Self::AbortsUpload => clients::aborts_upload(&address, &mut random).await,
                        Self::RapidResets => clients::rapid_resets(&address, &mut random).await,
                        Self::Connections => clients::connects(&address, &mut random).await,
                        Self::Hangs => clients::hangs(&address, &mut random).await,
                        Self::Panics => clients::panics(&address, &mut random).await,
                        Self::Drops => clients::drops(&address, &mut random).await,
                        Self::Floods => clients::floods(&address, &mut random).await,
                    };
                    if let Err(failure) = turn {
                        return format!("{}: {failure}", self.name());
                    }
                    sleep(pause).await;
                }
            });
        }
        running
    }
}

/// The errors of clients that have given up.
pub(crate) fn complaints(running: &mut JoinSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    while let Some(ended) = running.try_join_next() {
        complaints.push(ended.unwrap_or_else(|error| error.to_string()));
    }
    complaints
}
