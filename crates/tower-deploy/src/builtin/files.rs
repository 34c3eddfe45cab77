//! `egg:tower#static`: the files of a directory.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    ops::Range,
    panic::resume_unwind,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use bytes::BytesMut;
use futures_util::stream::try_unfold;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        LAST_MODIFIED, LOCATION,
    },
    request,
};
use http_body::Frame;
use http_body_util::StreamBody;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tower_environ::ScriptName;
use tower_kit::{Preferences, Rejection};

use super::{
    conditions::Validators,
    range::{Selected, selected},
    version::validators,
};
use crate::{
    App, Body, Error, ErrorKind as Kind, Parts, Settings, de::from_settings, reason::Reason,
};

/// How many bytes of a text are read to find its charset.
const LOOKED_AT: u64 = 64 << 10;

/// How many bytes of a file are sent at once.
const CHUNK: usize = 64 << 10;

#[derive(Deserialize, Serialize)]
pub(super) struct Static {
    document_root: PathBuf,
    /// In seconds.
    cache_max_age: Option<u64>,
    /// The charset of text files; `none` names none. By default, UTF-8 is named for files in UTF-8.
    charset: Option<String>,
    #[serde(default)]
    dotfiles: bool,
    /// Whether `/.well-known/` is served, with `dotfiles` or without (RFC 8615).
    #[serde(default)]
    well_known: bool,
    /// Whether a folder is its `index.html`.
    #[serde(default = "yes")]
    index: bool,
}

fn yes() -> bool {
    true
}

// `ServeDir` of tower-http reads the first line of each condition only, does not know `If-Range`,
// and panics at a time before 1970. It would only open the file here.
struct Folder {
    root: PathBuf,
    dotfiles: bool,
    well_known: bool,
    index: bool,
    /// The site's configuration files, which may hold passwords.
    hidden: Arc<[PathBuf]>,
    cache_control: Option<HeaderValue>,
    charset: Charset,
}

/// The charset that the type of a text file names.
enum Charset {
    /// UTF-8, if the file is in UTF-8.
    Found,
    None,
    Fixed(String),
}

pub(super) fn files(_: &Settings, local: &Settings, parts: &Parts<'_>) -> Result<App, Error> {
    let settings: Static = from_settings(local)?;
    let root = settings.document_root;
    let wrong = |key: &str, message: String, help: &str| {
        let place = local.value(key).and_then(|value| value.place());
        let error = Error::new(Kind::Settings, message).key(key);
        error.at(place).help(help)
    };
    match fs::metadata(&root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            let message = format!("{} is no folder", root.display());
            return Err(wrong("document_root", message, "name a folder"));
        }
        Err(error) => {
            let help = match root.is_absolute() {
                true => "name a folder that is there",
                false => "write %(here)s/… for what lies beside this file",
            };
            let message = format!("{}: {error}", root.display());
            return Err(wrong("document_root", message, help));
        }
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    let charset = match settings.charset {
        None => Charset::Found,
        Some(name) if name == "none" => Charset::None,
        Some(name) if !name.is_empty() && name.bytes().all(is_name) => Charset::Fixed(name),
        Some(name) => {
            let message = format!("{name:?} is not the name of a charset");
            return Err(wrong(
                "charset",
                message,
                "write one such as utf-8, or none",
            ));
        }
    };
    let folder = Arc::new(Folder {
        root,
        dotfiles: settings.dotfiles,
        well_known: settings.well_known,
        index: settings.index,
        hidden: parts.files().paths().into(),
        cache_control: settings.cache_max_age.map(max_age),
        charset,
    });
    Ok(App::new(tower::service_fn(
        move |request: Request<Body>| {
            let folder = folder.clone();
            async move { Ok::<_, std::convert::Infallible>(respond(folder, request).await) }
        },
    )))
}

async fn respond(folder: Arc<Folder>, request: Request<Body>) -> Response<Body> {
    let (head, _) = request.into_parts();
    if !folder.is_served(head.uri.path()) {
        return not_served().response_for(&head).map(Body::new);
    }
    let found = tokio::task::spawn_blocking(move || {
        folder.find(&head).unwrap_or_else(|rejection| {
            if rejection.status().is_server_error() {
                let (error, path) = (rejection.error(), head.uri.path());
                tracing::warn!(%error, path, "a file cannot be read");
            }
            rejection.response_for(&head).map(Body::new)
        })
    });
    // It is aborted only when the runtime ends.
    found
        .await
        .unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(error) => {
                let rejection = Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, error);
                let response = rejection.response_for(Preferences::default());
                response.map(Body::new)
            }
        })
}

impl Folder {
    /// Whether a path may lead to a file that is for everybody.
    fn is_served(&self, path: &str) -> bool {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        segments.enumerate().all(|(index, segment)| {
            let Ok(segment) = percent_decode_str(segment).decode_utf8() else {
                return false;
            };
            let is_well_known = self.well_known && index == 0 && segment == ".well-known";
            let is_dotfile = segment.starts_with('.') && !self.dotfiles && !is_well_known;
            // One segment here must not be several to the file system, a parent, or a drive.
            let is_name = |component| matches!(component, Component::Normal(_));
            !is_dotfile
                && !segment.contains(['/', '\\', '\0'])
                && Path::new(&*segment).components().all(is_name)
        })
    }

    /// Returns the response to a request. It looks before it opens: a pipe would wait for a writer.
    fn find(&self, head: &request::Parts) -> Result<Response<Body>, Rejection> {
        let path = percent_decode_str(head.uri.path()).decode_utf8_lossy();
        let mut file = self.root.join(path.trim_start_matches('/'));
        let is_index = path.ends_with('/');
        if is_index {
            file.push("index.html");
        }
        let metadata = fs::metadata(&file).map_err(unreadable)?;
        let is_read = [Method::GET, Method::HEAD].contains(&head.method);
        if metadata.is_dir() && self.index && !is_index && is_read {
            return to_folder(head);
        }
        let is_shown = metadata.is_file() && (self.index || !is_index);
        // A link to a hidden file is that file.
        if !is_shown || self.is_hidden(&file, &metadata) {
            return Err(not_served());
        }
        if !is_read {
            let reason = Reason("a file has the methods GET and HEAD only");
            let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, reason);
            return Err(rejection.with_header(ALLOW, HeaderValue::from_static("GET, HEAD")));
        }
        let now = SystemTime::now();
        self.send(self.open(&file, now).map_err(unreadable)?, head, now)
    }

    fn is_hidden(&self, file: &Path, metadata: &Metadata) -> bool {
        let is_it = |own: &Id| {
            self.hidden.iter().any(|hidden| {
                let metadata = fs::metadata(hidden);
                let id = metadata.and_then(|metadata| id(hidden, &metadata));
                id.is_ok_and(|id| id == *own)
            })
        };
        id(file, metadata).map_or(true, |own| is_it(&own))
    }

    fn open(&self, path: &Path, now: SystemTime) -> io::Result<Opened> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let length = metadata.len();
        let kind = mime_guess::from_path(path).first_raw();
        let kind = kind.unwrap_or("application/octet-stream");
        let is_text = kind.starts_with("text/");
        let mut beginning = Vec::new();
        if is_text && matches!(self.charset, Charset::Found) {
            file.by_ref().take(LOOKED_AT).read_to_end(&mut beginning)?;
        }
        let charset = match &self.charset {
            Charset::Fixed(charset) => Some(&**charset),
            Charset::Found if is_utf8(&beginning, length) => Some("utf-8"),
            Charset::Found | Charset::None => None,
        };
        let content_type = match charset {
            Some(charset) if is_text => text(format!("{kind}; charset={charset}")),
            _ => HeaderValue::from_static(kind),
        };
        let validators = validators(&mut file, &metadata, now)?;
        Ok(Opened {
            file,
            length,
            content_type,
            validators,
        })
    }

    fn send(
        &self,
        opened: Opened,
        head: &request::Parts,
        now: SystemTime,
    ) -> Result<Response<Body>, Rejection> {
        let (validators, length) = (opened.validators, opened.length);
        let precondition = validators.status(&head.headers);
        if precondition == Some(StatusCode::PRECONDITION_FAILED) {
            let reason = Reason("the file is not the one that the request names");
            return Err(Rejection::new(StatusCode::PRECONDITION_FAILED, reason));
        }
        // Ranges are for GET only (RFC 9110, section 14.2).
        let is_get = head.method == Method::GET;
        let selected = match is_get && validators.allow_range(&head.headers, now) {
            true => selected(&head.headers, length),
            false => Selected::Whole,
        };

        let mut response = Response::new(Body::default());
        let headers = response.headers_mut();
        // A 304 has these as the 200 would (RFC 9110, section 15.4.5).
        headers.extend(validators.etag.map(|etag| (ETAG, etag)));
        let date = validators.last_modified.map(httpdate::fmt_http_date);
        headers.extend(date.map(|date| (LAST_MODIFIED, text(date))));
        let cache_control = self.cache_control.clone();
        headers.extend(cache_control.map(|cache_control| (CACHE_CONTROL, cache_control)));
        if let Some(precondition) = precondition {
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
                let reason = Reason("the range is after the end of the file");
                let rejection = Rejection::new(StatusCode::RANGE_NOT_SATISFIABLE, reason);
                let range = text(format!("bytes */{length}"));
                return Err(rejection.with_header(CONTENT_RANGE, range));
            }
        };
        headers.insert(CONTENT_TYPE, opened.content_type);
        headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if headers.contains_key(CONTENT_RANGE) {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if is_get {
            *response.body_mut() = body(opened.file, part).map_err(unreadable)?;
        }
        Ok(response)
    }
}

/// A file, and the headers of its response.
struct Opened {
    file: File,
    length: u64,
    content_type: HeaderValue,
    validators: Validators,
}

/// Returns whether the beginning of a file of this length is in UTF-8. The last letter may be cut.
fn is_utf8(content: &[u8], length: u64) -> bool {
    let is_cut = (content.len() as u64) < length;
    std::str::from_utf8(content)
        .map_or_else(|error| is_cut && error.error_len().is_none(), |_| true)
}

/// Returns a part of a file with the announced length. Bytes that are appended meanwhile are not
/// sent. If the file becomes shorter, the body ends in an error.
fn body(mut file: File, part: Range<u64>) -> io::Result<Body> {
    let length = part.end - part.start;
    if length == 0 {
        return Ok(Body::default());
    }
    file.seek(SeekFrom::Start(part.start))?;
    let file = tokio::fs::File::from_std(file);
    let chunks = try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = (&mut file).take(left).read_buf(&mut chunk).await?;
        if read == 0 {
            let message = "the file is shorter than it was";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        Ok(Some((
            Frame::data(chunk.freeze()),
            (file, left - read as u64),
        )))
    });
    Ok(Body::new(StreamBody::new(chunks)))
}

/// Returns the rejection for a path that leads to no file which clients may have.
fn not_served() -> Rejection {
    let reason = Reason("the path leads to no file that is served");
    Rejection::new(StatusCode::NOT_FOUND, reason)
}

/// Returns the rejection for a file that cannot be opened. A file that was removed meanwhile is a
/// 404, so that a cascade falls through to its next app.
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

#[cfg(unix)]
type Id = (u64, u64);

/// Two files that are there have not the same.
#[cfg(unix)]
fn id(_: &Path, metadata: &Metadata) -> io::Result<Id> {
    use std::os::unix::fs::MetadataExt;

    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
type Id = PathBuf;

#[cfg(not(unix))]
fn id(file: &Path, _: &Metadata) -> io::Result<Id> {
    file.canonicalize()
}

fn max_age(seconds: u64) -> HeaderValue {
    text(format!("max-age={seconds}"))
}

/// Returns a header's value, which has only names, digits and punctuation.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("it has no control characters")
}

/// Redirects to a directory's path with a slash, including the path where it is mounted.
fn to_folder(head: &request::Parts) -> Result<Response<Body>, Rejection> {
    let uri = &head.uri;
    let script_name = ScriptName::of(uri, &head.extensions);
    let path = format!("{}{}", script_name.as_str(), uri.path());
    let mut location = format!("/{}/", path.trim_start_matches('/'));
    if let Some(query) = uri.query() {
        location.extend(["?", query]);
    }
    let location = HeaderValue::try_from(location).map_err(|_| not_served())?;
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_lacks_is_an_error_of_the_server() {
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

    #[test]
    fn a_letter_may_be_cut_but_not_broken() {
        for (content, length, expected, why) in [
            (&b""[..], 0, true, "nothing"),
            (b"abc", 3, true, "ASCII"),
            (b"\xc3\xbc", 2, true, "a letter"),
            (b"abc\xc3", 4, false, "half a letter is the end"),
            (b"abc\xc3", 5, true, "it goes on"),
            (b"\xfc", 1, false, "Latin-1"),
            (b"\xfcbc", 9, false, "Latin-1"),
        ] {
            assert_eq!(is_utf8(content, length), expected, "{why}");
        }
    }
}
