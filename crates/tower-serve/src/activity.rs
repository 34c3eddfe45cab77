use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use http::Version;

use crate::departure::Departures;

/// What a connection is doing. Its timeouts and its end depend on that.
///
/// HTTP/1 changes and reads it in one task. Over HTTP/2, only the number of open bodies changes in
/// other tasks, so no order between the fields matters.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// The heads that have come.
    requests: AtomicUsize,
    is_http_2: AtomicBool,
    is_http_1_0: AtomicBool,
    /// Requests and responses that have not ended.
    open: AtomicUsize,
    /// Whether the content of the last request has not been read to its end.
    has_unread: AtomicBool,
    /// Whether the content of the last request over HTTP/1 has ended with an error.
    has_failed: AtomicBool,
    /// Whether the client waits for a 100 before it sends the content of the last request.
    is_awaited: AtomicBool,
    /// Whether bytes have come that no request has claimed yet.
    has_part_of_head: AtomicBool,
    /// Whether the client does not take what is written.
    is_blocked: AtomicBool,
    is_tunnel: AtomicBool,
    /// Whether the server ends.
    is_draining: AtomicBool,
    is_ending: AtomicBool,
    is_aborted: AtomicBool,
    /// Whether a response of the service has failed.
    is_broken: AtomicBool,
    /// Since the first upload over HTTP/2.
    departures: OnceLock<Arc<Departures>>,
}

/// What the server waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For a head, of which a part may have come.
    Head,
    /// For the next request, of which nothing has come.
    Idle,
    /// For the service, for the client to take a response, or for the end.
    Busy,
}

impl Activity {
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    pub(crate) fn is_http_2(&self) -> bool {
        self.is_http_2.load(Relaxed)
    }

    /// Returns whether the end of a response may be that of the connection.
    pub(crate) fn is_http_1_0(&self) -> bool {
        self.is_http_1_0.load(Relaxed)
    }

    /// Returns the responses that are on their way, if there were uploads over HTTP/2.
    pub(crate) fn departures(&self) -> Option<&Arc<Departures>> {
        self.departures.get()
    }

    /// Returns the responses that are on their way, and follows them from now on.
    pub(crate) fn follow_departures(&self) -> &Arc<Departures> {
        self.departures.get_or_init(Arc::default)
    }

    pub(crate) fn phase(&self) -> Phase {
        let is_busy = self.open.load(Relaxed) > 0
            || self.is_blocked.load(Relaxed)
            || self.is_ending.load(Relaxed);
        match is_busy {
            true => Phase::Busy,
            false if self.is_http_2() => Phase::Idle,
            false if self.requests() == 0 || self.has_part_of_head.load(Relaxed) => Phase::Head,
            false => Phase::Idle,
        }
    }

    /// Returns whether the client may be sending what nothing reads. Then a close would reset the
    /// connection, and the client might lose the response.
    ///
    /// A tunnel closes when its own parties want. An HTTP/2 connection reads to its end by itself.
    pub(crate) fn lingers(&self) -> bool {
        let may_send = self.has_unread.load(Relaxed) || self.has_part_of_head.load(Relaxed);
        may_send && !self.is_tunnel.load(Relaxed) && !self.is_http_2()
    }

    pub(crate) fn bytes_came(&self) {
        if self.open.load(Relaxed) == 0 {
            self.has_part_of_head.store(true, Relaxed);
        }
    }

    pub(crate) fn request_came(&self, has_content: bool, version: Version) {
        self.requests.fetch_add(1, Relaxed);
        self.is_http_2.store(version == Version::HTTP_2, Relaxed);
        self.is_http_1_0.store(version == Version::HTTP_10, Relaxed);
        self.has_unread.store(has_content, Relaxed);
        self.has_failed.store(false, Relaxed);
        self.is_awaited.store(false, Relaxed);
        self.has_part_of_head.store(false, Relaxed);
    }

    pub(crate) fn content_was_read(&self) {
        self.has_unread.store(false, Relaxed);
    }

    pub(crate) fn content_failed(&self) {
        self.has_failed.store(true, Relaxed);
    }

    /// Notes that the client waits for a 100, or that the service reads the content and so the
    /// client gets it.
    pub(crate) fn content_is_awaited(&self, is_awaited: bool) {
        self.is_awaited.store(is_awaited, Relaxed);
    }

    /// Returns whether the server ends, or the next request could not be found on the connection,
    /// since content is not valid, or may never come. hyper closes the connection after the
    /// response, and the client should know (RFC 9112, section 9.6, and RFC 9110, section 10.1.1).
    pub(crate) fn closes_after_response(&self) -> bool {
        let closes = self.has_failed.load(Relaxed)
            || self.is_awaited.load(Relaxed)
            || self.is_draining.load(Relaxed);
        closes && !self.is_http_2()
    }

    pub(crate) fn drains(&self) {
        self.is_draining.store(true, Relaxed);
    }

    pub(crate) fn blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Relaxed);
    }

    pub(crate) fn becomes_tunnel(&self) {
        self.is_tunnel.store(true, Relaxed);
    }

    /// Returns whether the server has dropped the connection with requests under way.
    pub(crate) fn is_aborted(&self) -> bool {
        self.is_aborted.load(Relaxed)
    }

    pub(crate) fn breaks_off(&self) {
        self.is_broken.store(true, Relaxed);
    }

    /// Returns whether the last response may have been cut by the server or its service.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_aborted() || self.is_broken.load(Relaxed)
    }

    pub(crate) fn ends(&self) {
        self.is_ending.store(true, Relaxed);
    }
}

/// A guard beside a connection. If it is dropped while it is armed, the server has dropped the
/// connection.
#[derive(Debug)]
pub(crate) struct Abort<'a> {
    activity: &'a Activity,
    is_armed: bool,
}

impl<'a> Abort<'a> {
    pub(crate) fn armed(activity: &'a Activity) -> Self {
        Self {
            activity,
            is_armed: true,
        }
    }

    pub(crate) fn disarm(mut self) {
        self.is_armed = false;
    }
}

impl Drop for Abort<'_> {
    fn drop(&mut self) {
        self.activity.is_aborted.store(self.is_armed, Relaxed);
    }
}

/// A request or a response that has not ended. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<Activity>);

impl Open {
    pub(crate) fn new(activity: &Arc<Activity>) -> Self {
        activity.open.fetch_add(1, Relaxed);
        Self(Arc::clone(activity))
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.0
    }
}

impl Clone for Open {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_9_a_connection_waits_for_a_head_or_is_idle() {
        let activity = Arc::new(Activity::default());
        assert_eq!(activity.phase(), Phase::Head);
        activity.bytes_came();
        assert_eq!(activity.phase(), Phase::Head);

        let response = Open::new(&activity);
        activity.request_came(false, Version::HTTP_11);
        assert_eq!(activity.phase(), Phase::Busy);
        // The next request comes before the response has ended, so its head is not waited for.
        activity.bytes_came();
        activity.blocked(true);
        drop(response);
        assert_eq!(activity.phase(), Phase::Busy);
        activity.blocked(false);
        assert_eq!(activity.phase(), Phase::Idle);

        activity.bytes_came();
        assert_eq!(activity.phase(), Phase::Head);
        activity.ends();
        assert_eq!(activity.phase(), Phase::Busy);
    }

    #[test]
    fn serve_20_only_a_client_that_may_be_sending_is_waited_for() {
        let activity = Activity::default();
        assert!(!activity.lingers());
        activity.bytes_came();
        assert!(activity.lingers());
        activity.request_came(false, Version::HTTP_11);
        assert!(!activity.lingers());
        activity.request_came(true, Version::HTTP_11);
        assert!(activity.lingers());
        activity.content_was_read();
        assert!(!activity.lingers());
        activity.request_came(true, Version::HTTP_2);
        assert!(!activity.lingers());
        activity.request_came(true, Version::HTTP_11);
        activity.becomes_tunnel();
        assert!(!activity.lingers());
    }
}
