//! The built-in hooks.

use std::{convert::Infallible, ops::ControlFlow, time::Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, request, response};
use http_body_util::Full;
use tower_hooks::Hook;

use crate::Settings;

/// `egg:tower#server-timing`: the time until the head of the response, in the header
/// `Server-Timing` (W3C), which browsers show.
pub(super) struct ServerTiming;

pub(super) fn server_timing(_: &Settings, (): ()) -> Result<ServerTiming, Infallible> {
    Ok(ServerTiming)
}

impl Hook for ServerTiming {
    type State = Option<Instant>;

    async fn before(
        &self,
        began: &mut Self::State,
        _: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        *began = Some(Instant::now());
        ControlFlow::Continue(())
    }

    async fn after(&self, began: &mut Self::State, response: &mut response::Parts) {
        let Some(began) = began else { return };
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        let timing = format!("app;dur={milliseconds:.3}");
        if let Ok(timing) = HeaderValue::try_from(timing) {
            let name = HeaderName::from_static("server-timing");
            response.headers.append(name, timing);
        }
    }
}
