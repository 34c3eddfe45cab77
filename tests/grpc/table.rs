//! Cases of rejections and faults, called in each way, and printed as a table:
//! `cargo test -p tests --test grpc -- --nocapture --test-threads 1`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Once,
};

use futures_util::future::join_all;
use tonic::Code;

use crate::{
    client::{Client, Options, Reply},
    echo::{Call, FAULT, Fault},
    layers::around,
    server::{App, Translated, Way, each_way},
};

pub(crate) struct Case {
    pub(crate) layer: &'static str,
    /// The name of the case.
    pub(crate) what: &'static str,
    pub(crate) options: Options,
    /// The ways in which it is called.
    pub(crate) only: fn(&Way) -> bool,
    pub(crate) layers: fn(App) -> App,
    pub(crate) code: Code,
    pub(crate) says: Says,
}

/// The message of a status.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Says {
    Anything,
    This(&'static str),
    /// The id of an incident.
    Incident,
}

impl Says {
    fn fits(self, message: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::This(text) => text == message,
            Self::Incident => message
                .strip_prefix("incident ")
                .is_some_and(|id| id.len() == 32),
        }
    }
}

impl Case {
    pub(crate) fn new(
        layer: &'static str,
        what: &'static str,
        layers: fn(App) -> App,
        code: Code,
        says: Says,
    ) -> Self {
        Self {
            layer,
            what,
            options: Options::default(),
            only: |_| true,
            layers,
            code,
            says,
        }
    }

    pub(crate) fn at(mut self, path: &'static str) -> Self {
        self.options.path = Some(path);
        self
    }

    pub(crate) fn with(mut self, fault: Fault) -> Self {
        self.options.fault = Some(fault);
        self
    }

    pub(crate) fn announced(mut self) -> Self {
        self.options.announced = true;
        self
    }

    pub(crate) fn only(mut self, only: fn(&Way) -> bool) -> Self {
        self.only = only;
        self
    }

    /// The messages that came before the status.
    fn messages(&self, call: Call) -> &'static [&'static str] {
        let streams = matches!(call, Call::ServerStream | Call::Bidirectional);
        match self.options.fault {
            Some(Fault::StreamPanics | Fault::StreamFails | Fault::StreamStalls) if streams => {
                &["one"]
            }
            _ => &[],
        }
    }

    fn is_right(&self, call: Call, way: &Way, reply: &Reply) -> bool {
        reply.code == self.code
            && self.says.fits(&reply.message)
            && reply.messages == self.messages(call)
            && reply.speaks(way.wire)
    }
}

/// The results of a case, and the ways that lead to them.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), BTreeSet<String>>);

impl Seen {
    fn add(&mut self, reply: &Reply, way: &Way) {
        let status = format!("{} {:?}", i32::from(reply.code), reply.code);
        let mut message = match Says::Incident.fits(&reply.message) {
            true => "incident ID".to_owned(),
            false => reply.message.clone(),
        };
        if !reply.speaks(way.wire) {
            let status = reply.head.as_ref().map(|head| head.status.as_u16());
            message += &format!(" [HTTP {status:?} {:?}]", reply.content_type());
        }
        let way = match way.translated {
            Translated::Outside => format!("{:?} outside", way.wire),
            _ => format!("{:?}", way.wire),
        };
        self.0.entry((status, message)).or_default().insert(way);
    }

    fn print(&self, case: &Case) {
        for ((status, message), ways) in &self.0 {
            let ways: Vec<_> = ways.iter().map(String::as_str).collect();
            let ways = match ways.len() {
                5 => "all".to_owned(),
                _ => ways.join(", "),
            };
            let (layer, what) = (case.layer, case.what);
            println!("| {layer} | {what} | {status} | {message} | {ways} |");
        }
    }
}

/// Calls every case in every way, by itself and with other layers around, and prints what clients
/// saw.
///
/// # Panics
///
/// If a client saw something else than it should.
pub(crate) async fn check(cases: &[Case]) {
    quiet();
    println!("\n| layer | what | status | message | protocols |\n|---|---|---|---|---|");
    let mut wrong = BTreeSet::new();
    for case in cases {
        let mut seen = Seen::default();
        let layers = case.layers;
        let mut call = async |client: &Client, way: &Way| {
            if !(case.only)(way) {
                return;
            }
            let replies = Call::ALL.map(async |call| {
                let reply = client.call(call, &call.path(), case.options).await;
                (call, reply)
            });
            for (call, reply) in join_all(replies).await {
                seen.add(&reply, way);
                if !case.is_right(call, way, &reply) {
                    wrong.insert(format!("{}: {}", case.layer, case.what));
                }
            }
        };
        each_way(layers, &mut call).await;
        each_way(move |app| around(layers(app)), &mut call).await;
        seen.print(case);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The panics that are part of a test print nothing.
pub(crate) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied();
            let owned = payload.downcast_ref::<String>().map(String::as_str);
            if text.or(owned) != Some(FAULT) {
                loud(info);
            }
        }));
    });
}
