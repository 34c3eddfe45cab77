use std::{sync::Arc, thread, time::Instant};

use http::{Request, Response, StatusCode};
use tower_kit::{Rejection, secrets, status_of};
use tower_origin::{OriginSlot, PeerAddr};

use super::{
    entry::{Client, End, Entry},
    file::OpenLog,
};
use crate::activity::Activity;

/// The status of a client that has left, as nginx logs it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What is known of a request. When it is dropped, its line is written.
#[derive(Debug)]
pub(crate) struct Record {
    log: OpenLog,
    activity: Arc<Activity>,
    request: Option<Client>,
    peer: Option<PeerAddr>,
    origin: OriginSlot,
    start: Instant,
    /// `None` until there is a response.
    status: Option<StatusCode>,
    reason: Option<String>,
    incident: Option<String>,
    bytes: u64,
    /// `None` until the end is known.
    end: Option<End>,
}

impl Record {
    /// Begins the record of a request, and has a layer tell it the client.
    pub(crate) fn begin<B>(
        log: &OpenLog,
        activity: &Arc<Activity>,
        peer: Option<PeerAddr>,
        request: &mut Request<B>,
    ) -> Box<Self> {
        let origin = OriginSlot::default();
        let client = Client::of(request);
        request.extensions_mut().insert(origin.clone());
        Box::new(Self {
            log: log.clone(),
            activity: Arc::clone(activity),
            request: Some(client),
            peer,
            origin,
            start: Instant::now(),
            status: None,
            reason: None,
            incident: None,
            bytes: 0,
            end: None,
        })
    }

    pub(crate) fn has_response<B>(&mut self, response: &Response<B>) {
        self.status = Some(status_of(response));
        if let Some(rejection) = Rejection::of(response) {
            match rejection.id() {
                // The log has the reason under the id already.
                Some(id) => self.incident = Some(id.to_owned()),
                None => {
                    let reason = rejection.error().to_string();
                    self.reason = Some(secrets::urls(&reason).into_owned());
                }
            }
        }
    }

    pub(crate) fn took(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn completed(&mut self) {
        self.end.get_or_insert(End::Complete);
    }

    pub(crate) fn failed(&mut self) {
        self.end.get_or_insert(End::Service);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(request) = self.request.take() else {
            return;
        };
        let end = match self.end {
            Some(end) => end,
            None if thread::panicking() => End::Service,
            None if self.activity.is_aborted() => End::Server,
            None => End::Client,
        };
        let status = match (end, self.status) {
            (End::Client, _) => {
                StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::BAD_REQUEST)
            }
            (_, Some(status)) => status,
            (End::Server, None) => StatusCode::SERVICE_UNAVAILABLE,
            (End::Complete | End::Service, None) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let client = match self.origin.get() {
            Some(origin) => origin.client(),
            None => self.peer.map(|peer| peer.0.ip().to_canonical()),
        };
        self.log.write(&Entry {
            client,
            request,
            status,
            bytes: self.bytes,
            duration: self.start.elapsed(),
            end,
            reason: self.reason.take(),
            incident: self.incident.take(),
        });
    }
}
