//! The data that is kept of a request while it is handled, and the incident that is made of it.

use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use http::{Method, Request, StatusCode};
use tower_kit::Preferences;

#[cfg(feature = "debug")]
use crate::{DebugPage, snapshot::Album};
use crate::{
    Incident, Phase,
    guard::discard,
    incident::Cause,
    report::{self, Report},
    request_head::RequestHead,
    status::{self, StatusOf},
};

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) report: Report,
    pub(crate) headers: bool,
    pub(crate) statuses: Vec<StatusOf>,
    #[cfg(feature = "debug")]
    pub(crate) debug: Option<DebugPage>,
}

/// The data that is needed to make an incident of a request's failure, and to report it.
///
/// Every request moves it from the call to the future to the body, and few read it. So it is a box,
/// which is moved cheaply. The box is taken from the thread's stock and returned there, which costs
/// no allocation. The request's texts are copied into it, which costs less than to share them.
pub(crate) struct Watch {
    /// `None` while it is dropped.
    record: Option<Box<Record>>,
}

#[derive(Default)]
struct Record {
    options: Option<Arc<Options>>,
    head: RequestHead,
    #[cfg(feature = "debug")]
    album: Option<Album>,
    broken: OnceLock<Incident>,
}

/// The most boxes that a thread keeps, and the most bytes of text in each.
const STOCK: usize = 64;
const TEXT: usize = 4096;

thread_local! {
    #[allow(clippy::vec_box, reason = "the boxes themselves are kept")]
    static UNUSED: RefCell<Vec<Box<Record>>> = const { RefCell::new(Vec::new()) };
}

impl Watch {
    #[inline]
    pub(crate) fn new<B>(options: &Arc<Options>, request: &mut Request<B>) -> Self {
        let unused = UNUSED.try_with(|unused| unused.try_borrow_mut().ok()?.pop());
        let mut record = unused.ok().flatten().unwrap_or_default();
        record.head.record(request, options.headers);
        record.options = Some(options.clone());
        #[cfg(feature = "debug")]
        if let Some(debug) = &options.debug {
            record.album = debug.album_for(request);
        }
        Self {
            record: Some(record),
        }
    }

    fn record(&self) -> &Record {
        let record = self.record.as_ref();
        record.expect("the record is given back only when the watch ends")
    }

    pub(crate) fn method(&self) -> &Method {
        self.record().head.method()
    }

    /// Returns the request's preferences if its client speaks gRPC.
    #[inline]
    pub(crate) fn grpc(&self) -> Option<Preferences> {
        let head = &self.record().head;
        head.is_grpc().then(|| head.read().preferences)
    }

    /// Returns the incident of a body that has panicked in its hints, which cannot return an error.
    pub(crate) fn broken(&self) -> &OnceLock<Incident> {
        &self.record().broken
    }

    pub(crate) fn take_broken(&mut self) -> Option<Incident> {
        self.record.as_mut()?.broken.take()
    }

    /// Makes an incident and reports it.
    pub(crate) fn incident(
        &self,
        phase: Phase,
        head_sent: bool,
        cause: impl Into<Cause>,
    ) -> Incident {
        let (record, cause) = (self.record(), cause.into());
        let functions = record.options.as_ref().map(|options| &options.statuses[..]);
        let status = match cause.error() {
            None => StatusCode::INTERNAL_SERVER_ERROR,
            Some(error) => status::of(error, functions.unwrap_or_default()),
        };
        #[cfg(feature = "debug")]
        let shown = record.album.as_ref().map(Album::texts).unwrap_or_default();
        #[cfg(not(feature = "debug"))]
        let shown = Vec::new();
        let head = record.head.read();
        let incident = Incident::new(phase, head_sent, cause, status, head, shown);
        if let Some(options) = &record.options {
            report::send(&options.report, &incident);
        }
        incident
    }

    /// Returns the page, if the client may see it.
    #[cfg(feature = "debug")]
    pub(crate) fn debug(&self) -> Option<&DebugPage> {
        let record = self.record();
        let debug = record.options.as_ref()?.debug.as_ref();
        debug.filter(|_| record.album.is_some())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else {
            return;
        };
        // All fields are named here, so that none keeps data of another request.
        let Record {
            options,
            head,
            #[cfg(feature = "debug")]
            album,
            broken,
        } = &mut *record;
        // This may drop a report and snapshots, which are user code.
        discard(options.take());
        #[cfg(feature = "debug")]
        discard(album.take());
        if let Some(broken) = broken.take() {
            discard(broken);
        }
        head.clear(TEXT);
        // A thread that ends has no stock.
        let _ = UNUSED.try_with(|unused| {
            if let Ok(mut unused) = unused.try_borrow_mut()
                && unused.len() < STOCK
            {
                unused.push(record);
            }
        });
    }
}
