//! Parts that note in a request's trace what they do.

use std::{convert::Infallible, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, request, response};
use http_body_util::Full;
use tower_hooks::{BoxHook, Hook, Outcome};
use tower_kit::status_of;
use tower_service::Service;

use super::{record::Trace, seen::SeenResponse};
use crate::{App, Body};

/// Returns an app that notes its steps, or those of a filter around an app.
pub(crate) fn app(title: String, app: App) -> App {
    let title: Arc<str> = title.into();
    App::new(tower::service_fn(move |request: Request<Body>| {
        let (title, mut app) = (title.clone(), app.clone());
        async move {
            let Some(trace) = request.extensions().get::<Trace>().cloned() else {
                return app.call(request).await;
            };
            trace.enters(&title, &request);
            let entered = Entered(Some(&trace));
            let response: Result<_, Infallible> = app.call(request).await;
            entered.leave();
            let (parts, body) = response?.into_parts();
            trace.leaves(&parts);
            Ok(Response::from_parts(parts, body))
        }
    }))
}

/// A call of an app. If it is not left, the app panicked or the request was dropped.
struct Entered<'a>(Option<&'a Trace>);

impl Entered<'_> {
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(trace) = self.0 {
            trace.drops();
        }
    }
}

pub(crate) fn hook(title: String, hook: impl Hook) -> BoxHook {
    BoxHook::new(Traced { title, hook })
}

struct Traced<H> {
    title: String,
    hook: H,
}

#[derive(Default)]
struct State<T> {
    own: T,
    trace: Option<Trace>,
}

impl<H: Hook> Hook for Traced<H> {
    type State = State<H::State>;

    async fn before(
        &self,
        state: &mut Self::State,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        state.trace = request.extensions.get().cloned();
        let next = self.hook.before(&mut state.own, request).await;
        if let Some(trace) = &state.trace {
            let title = &self.title;
            match &next {
                ControlFlow::Continue(()) => trace.notes(format_args!("{title}: before")),
                ControlFlow::Break(response) => {
                    let status = status_of(response);
                    trace.notes(format_args!("{title}: before, and responds with {status}"));
                }
            }
        }
        next
    }

    async fn after(&self, state: &mut Self::State, response: &mut response::Parts) {
        let before = SeenResponse::of(response);
        self.hook.after(&mut state.own, response).await;
        if let Some(trace) = &state.trace {
            trace.notes(format_args!("{}: after", self.title));
            for change in SeenResponse::of(response).changes_since(Some(&before)) {
                trace.notes(format_args!("  {change}"));
            }
            trace.responds(response);
        }
    }

    fn finish(&self, state: Self::State, outcome: Outcome) {
        self.hook.finish(state.own, outcome);
        if let Some(trace) = &state.trace {
            trace.notes(format_args!("{}: finish, {:?}", self.title, outcome.kind()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use http::StatusCode;
    use tower_kit::Rejection;

    use super::*;

    struct Rejects;

    impl Hook for Rejects {
        type State = ();

        async fn before(
            &self,
            (): &mut (),
            request: &mut request::Parts,
        ) -> ControlFlow<Response<Full<Bytes>>> {
            let rejection = Rejection::new(StatusCode::FORBIDDEN, fmt::Error);
            ControlFlow::Break(rejection.response_for(&*request))
        }
    }

    #[tokio::test]
    async fn deploy_20_a_hook_that_rejects_is_traced_with_its_status() {
        for (content_type, on_the_wire) in [("text/plain", 403), ("application/grpc", 200)] {
            let trace = Trace::default();
            let request = Request::post("/").header("content-type", content_type);
            let (mut head, ()) = request.body(()).unwrap().into_parts();
            head.extensions.insert(trace.clone());
            let traced = Traced {
                title: "hook".to_owned(),
                hook: Rejects,
            };
            let next = traced.before(&mut State::default(), &mut head).await;
            let ControlFlow::Break(response) = next else {
                panic!("it does not respond");
            };
            assert_eq!(response.status(), on_the_wire);
            let expected = "  hook: before, and responds with 403 Forbidden\n";
            assert_eq!(trace.to_string(), expected);
        }
    }
}
