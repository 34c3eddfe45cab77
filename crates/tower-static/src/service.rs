//! The service, from a request to its response.

use std::{
    convert::Infallible,
    io::{self, ErrorKind},
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, VARY,
    },
    request,
};
use tower_environ::MountExt;
use tower_kit::Rejection;
use tower_service::Service;

use crate::{
    FilesError, ResponseBody, ResponseFuture,
    coding::preferred,
    facts::Kind,
    file::{Found, Missing, Source},
    files::{Files, Options},
    paths::{file_below, is_served},
    range::{Selected, selected},
    read::Wait,
};

impl<B> Service<Request<B>> for Files {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Drops the request's body without reading it.
    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (head, _) = request.into_parts();
        let options = &self.options;
        if !is_served(head.uri.path(), options.dotfiles, options.well_known) {
            let response = not_served().response_for(&head);
            return ResponseFuture::ready(response.map(ResponseBody::own));
        }
        // As nginx does: to open a file rarely waits, and another thread costs more than a small
        // file.
        let at_once = match cfg!(target_os = "linux") {
            true => options.respond(&head, Wait::Never),
            false => None,
        };
        if let Some(response) = at_once {
            return ResponseFuture::ready(response);
        }
        let options = Arc::clone(options);
        ResponseFuture::reading(tokio::task::spawn_blocking(move || {
            let response = options.respond(&head, Wait::ForDisk);
            response.expect("it has waited")
        }))
    }
}

/// Why a request gets no file.
enum Failure {
    /// What is kept does not suffice, and the file has to be opened.
    NotKept,
    /// The request has to wait.
    Waits(io::Error),
    Rejected(Rejection),
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::NotKept => Self::NotKept,
            Missing::Failed(error) => error.into(),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::Waits(error),
            _ => Self::Rejected(unreadable(error)),
        }
    }
}

impl Options {
    /// Returns the response to a request, or `None` if that has to wait and must not.
    fn respond(&self, head: &request::Parts, wait: Wait) -> Option<Response<ResponseBody>> {
        let mut found = match self.memory.has_contents() {
            true => self.find(head, Source::Memory),
            false => Err(Failure::NotKept),
        };
        if let Err(Failure::NotKept) = found {
            found = self.find(head, Source::Disk(wait));
        }
        let rejection = match found {
            Ok(response) => return Some(response),
            Err(Failure::Rejected(rejection)) => rejection,
            Err(Failure::Waits(_)) if wait == Wait::Never => return None,
            Err(Failure::Waits(error)) => unreadable(error),
            Err(Failure::NotKept) => unreadable(ErrorKind::Other.into()),
        };
        if rejection.status().is_server_error() {
            let (error, path) = (rejection.error(), head.uri.path());
            tracing::warn!(%error, path, "a file cannot be read");
        }
        Some(rejection.response_for(head).map(ResponseBody::own))
    }

    fn find(
        &self,
        head: &request::Parts,
        source: Source,
    ) -> Result<Response<ResponseBody>, Failure> {
        // From before the lookup: what changes later has a later time.
        let now = SystemTime::now();
        let mut path = file_below(&self.root, head.uri.path());
        let is_index = head.uri.path().ends_with('/');
        if is_index {
            path.push("index.html");
        }
        let plain = Found::at(path, None, self, source)?;
        let is_read = [Method::GET, Method::HEAD].contains(&head.method);
        if plain.kind() == Kind::Directory && self.index && !is_index && is_read {
            return to_directory(head);
        }
        let is_shown = plain.kind() == Kind::File && (self.index || !is_index);
        // A link to a hidden file is that file.
        if !is_shown || plain.is_one_of(&self.hidden) {
            return Err(not_served().into());
        }
        if !is_read {
            let rejection =
                Rejection::new(StatusCode::METHOD_NOT_ALLOWED, FilesError::MethodNotAllowed);
            let allow = HeaderValue::from_static("GET, HEAD");
            return Err(rejection.with_header(ALLOW, allow).into());
        }
        if is_at_mount(head) {
            return to_directory(head);
        }
        self.send(head, Forms::of(plain, head, self, source)?, now)
    }

    fn send(
        &self,
        head: &request::Parts,
        mut forms: Forms,
        now: SystemTime,
    ) -> Result<Response<ResponseBody>, Failure> {
        let length = forms.sent().length();
        let validators = forms.sent().validators(now)?;
        let precondition = validators.status(&head.headers);
        if precondition == Some(StatusCode::PRECONDITION_FAILED) {
            let error = FilesError::PreconditionFailed;
            return Err(Rejection::new(StatusCode::PRECONDITION_FAILED, error).into());
        }
        // Ranges are for GET only (RFC 9110, section 14.2).
        let is_get = head.method == Method::GET;
        let selected = match is_get && validators.allow_range(&head.headers, now) {
            true => selected(&head.headers, length),
            false => Selected::Whole,
        };

        let mut response = Response::new(ResponseBody::default());
        let headers = response.headers_mut();
        // With what a server and layers add, so that the map grows once.
        headers.reserve(12);
        // A 304 has these as the 200 would (RFC 9110, section 15.4.5).
        if let Some(etag) = validators.etag {
            headers.insert(ETAG, etag);
        }
        if let Some(date) = validators.date {
            headers.insert(LAST_MODIFIED, date);
        }
        if let Some(cache_control) = &self.cache_control {
            headers.insert(CACHE_CONTROL, cache_control.clone());
        }
        if !self.precompressed.is_empty() {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some(precondition) = precondition {
            forms.keep(self, now);
            *response.status_mut() = precondition;
            return Ok(response);
        }
        let part = match selected {
            Selected::Whole => 0..length,
            Selected::Part(part) => {
                let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                headers.insert(CONTENT_RANGE, text(range));
                part
            }
            Selected::Nothing => {
                let rejection = Rejection::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    FilesError::RangeNotSatisfiable,
                );
                let range = text(format!("bytes */{length}"));
                return Err(rejection.with_header(CONTENT_RANGE, range).into());
            }
        };
        let first = match is_get {
            true => forms.sent().first(&part, self, now)?,
            false => Bytes::new(),
        };
        let is_beginning = forms.variant.is_none() && part.start == 0;
        let beginning = if is_beginning { &first[..] } else { &[] };
        let content_type = forms.plain.content_type(&self.charset, beginning)?;
        headers.insert(CONTENT_TYPE, content_type);
        if let Some(coding) = forms.sent().version.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if headers.contains_key(CONTENT_RANGE) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        forms.keep(self, now);
        if is_get {
            *response.body_mut() = forms.sent().body(part, first)?;
        }
        Ok(response)
    }
}

/// The forms of a file: the plain one, and the compressed variant that is sent instead.
struct Forms {
    plain: Found,
    variant: Option<Found>,
}

impl Forms {
    /// Looks for a variant of a file. Fails if the file itself cannot be read.
    fn of(
        mut plain: Found,
        head: &request::Parts,
        options: &Options,
        source: Source,
    ) -> Result<Self, Missing> {
        plain.check()?;
        let codings = preferred(&head.headers, &options.precompressed);
        let variant = plain.variant(&codings, options, source);
        Ok(Self { plain, variant })
    }

    fn sent(&mut self) -> &mut Found {
        self.variant.as_mut().unwrap_or(&mut self.plain)
    }

    fn keep(&self, options: &Options, now: SystemTime) {
        self.plain.keep(options, now);
        if let Some(variant) = &self.variant {
            variant.keep(options, now);
        }
    }
}

/// Returns whether the path is that of a mount without the slash at its end, where the URI has `/`.
fn is_at_mount(head: &request::Parts) -> bool {
    head.path_info().is_empty() && !head.script_name().is_empty()
}

/// Redirects to a directory's path with a slash, including the path where it is mounted.
fn to_directory(head: &request::Parts) -> Result<Response<ResponseBody>, Failure> {
    let uri = &head.uri;
    let path = format!("{}{}", head.script_name(), uri.path());
    // With two slashes at its start it would be another host.
    let mut location = format!("/{}/", path.trim_matches('/'));
    if let Some(query) = uri.query() {
        location.extend(["?", query]);
    }
    let location = HeaderValue::try_from(location).map_err(|_| not_served())?;
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Returns the rejection for a path that leads to no file which clients may have.
fn not_served() -> Rejection {
    Rejection::new(StatusCode::NOT_FOUND, FilesError::NotServed)
}

/// Returns the rejection for a file that cannot be opened. A file that was removed meanwhile is a
/// 404, so that a cascade falls through to its next service.
fn unreadable(error: io::Error) -> Rejection {
    let status = match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidFilename
        | ErrorKind::InvalidInput => StatusCode::NOT_FOUND,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Rejection::new(status, error)
}

/// Returns a header's value, which has only names, digits and punctuation.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("it has no control characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_11_only_what_the_machine_lacks_is_a_server_error() {
        for (kind, expected) in [
            (ErrorKind::NotFound, 404),
            (ErrorKind::NotADirectory, 404),
            (ErrorKind::InvalidFilename, 404),
            (ErrorKind::PermissionDenied, 403),
            (ErrorKind::OutOfMemory, 500),
            (ErrorKind::Other, 500),
        ] {
            assert_eq!(unreadable(kind.into()).status(), expected, "{kind}");
        }
    }
}
