//! Parts that tell a request's trace what they do.

use std::{convert::Infallible, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, request, response};
use http_body_util::Full;
use tower_hooks::{BoxHook, Hook, Outcome};
use tower_kit::status_of;
use tower_service::Service;

use super::{Answer, Trace};
use crate::{App, Body};

/// An app, or one with a filter around it.
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

/// If it is not left, the app panicked or was given up.
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

pub(crate) fn hook(title: String, hook: BoxHook) -> BoxHook {
    BoxHook::new(Traced { title, hook })
}

struct Traced {
    title: String,
    hook: BoxHook,
}

#[derive(Default)]
struct State {
    own: <BoxHook as Hook>::State,
    trace: Option<Trace>,
}

impl Hook for Traced {
    type State = State;

    async fn before(
        &self,
        state: &mut State,
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
                    trace.notes(format_args!("{title}: before, and answers {status}"));
                }
            }
        }
        next
    }

    async fn after(&self, state: &mut State, response: &mut response::Parts) {
        let before = Answer::of(response);
        self.hook.after(&mut state.own, response).await;
        if let Some(trace) = &state.trace {
            trace.notes(format_args!("{}: after", self.title));
            for change in Answer::of(response).changes_since(Some(&before)) {
                trace.notes(format_args!("  {change}"));
            }
            trace.answers(response);
        }
    }

    fn finish(&self, state: State, outcome: Outcome) {
        self.hook.finish(state.own, outcome);
        if let Some(trace) = &state.trace {
            trace.notes(format_args!("{}: finish, {outcome:?}", self.title));
        }
    }
}
