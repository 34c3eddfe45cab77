//! The story of one request, which is the same for all kinds of programs.

use std::{borrow::Cow, future::Future, sync::Arc};

use bytes::{Buf, Bytes};
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE,
        LOCATION,
    },
    request::Parts,
    uri::PathAndQuery,
};
use http_body::Body;
use tower_environ::{MountExt, ScriptName};
use tower_kit::Preferences;
use tower_origin::Origin;

use crate::{
    GatewayError, ResponseBody,
    content::Content,
    error::{BoxError, Chain},
    exchange::Exchange,
    head::{Head, Meaning},
    one_hop,
    options::Options,
    pool::Permit,
    scripts::{Found, Script},
    variables::{Refused, Variables},
};

/// A kind of programs, and how they are reached.
pub(crate) trait Program: Send + Sync + 'static {
    /// Waits until the request may begin.
    fn turn(&self, options: &Options) -> impl Future<Output = Result<Permit, GatewayError>> + Send;

    /// Begins a request. The head of its response has not come yet.
    fn begin<B>(
        &self,
        request: ToProgram<'_, B>,
        permit: Permit,
        options: &Options,
    ) -> impl Future<Output = Result<Exchange, GatewayError>> + Send
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static;

    /// Begins a request again that was lost, if that is possible. It has no body, or a small one.
    fn begin_again(
        &self,
        request: ToProgram<'_, NoBody>,
        permit: Permit,
        options: &Options,
    ) -> impl Future<Output = Result<Exchange, GatewayError>> + Send;
}

/// The body of a request that is stored.
pub(crate) type NoBody = http_body_util::Empty<Bytes>;

/// A request for a program.
pub(crate) struct ToProgram<'a, B> {
    pub(crate) parts: &'a Parts,
    pub(crate) script: Option<&'a Script>,
    pub(crate) content: Content<B>,
}

impl<B> ToProgram<'_, B> {
    pub(crate) fn variables<'a>(&'a self, length: u64, options: &'a Options) -> Variables<'a> {
        Variables {
            parts: self.parts,
            length,
            script: self.script,
            env: &options.env,
        }
    }
}

impl From<Refused> for GatewayError {
    fn from(refused: Refused) -> Self {
        tracing::debug!("{refused}");
        match refused {
            Refused::Nul => Self::ControlCharacter,
            Refused::TooLarge => Self::HeaderTooLarge,
        }
    }
}

/// A service of this crate.
#[derive(Clone, Debug)]
pub(crate) struct Gateway<P> {
    pub(crate) options: Options,
    pub(crate) program: P,
}

impl<P: Program> Gateway<P> {
    /// Returns the program's response, or a rejection.
    pub(crate) async fn respond<B>(self: Arc<Self>, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        let preferences = Preferences::from(&parts);
        self.try_respond(parts, body)
            .await
            .unwrap_or_else(|error| error.response(preferences).map(ResponseBody::own))
    }

    async fn try_respond<B>(
        &self,
        mut parts: Parts,
        body: B,
    ) -> Result<Response<ResponseBody>, GatewayError>
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        if parts.method == Method::CONNECT {
            return Err(GatewayError::NoTunnel);
        }
        let mut script = match self.script(&parts)? {
            Wanted::Script(script) => script,
            Wanted::Redirect(response) => return Ok(*response),
        };
        let content = Content::of(&parts.headers, body, &self.options).await?;
        one_hop::remove_from_request(&mut parts.headers);
        let method = parts.method.clone();
        let (mut exchange, mut found) = self.exchange(&parts, script.as_ref(), content).await?;
        let mut redirects = 0;
        loop {
            let status = match found.0.meaning() {
                Meaning::Response(status) => status,
                Meaning::LocalRedirect => match self.redirected(&parts, &found.0, redirects) {
                    Err(error) => {
                        exchange.finish(&self.options);
                        return Err(error);
                    }
                    Ok(Some((target, at))) => {
                        exchange.finish(&self.options);
                        (parts, script) = (target, at);
                        let none: Content<NoBody> = Content::Stored(Bytes::new());
                        (exchange, found) = self.exchange(&parts, script.as_ref(), none).await?;
                        redirects += 1;
                        continue;
                    }
                    Ok(None) => StatusCode::FOUND,
                },
            };
            return exchange.response(&method, status, found.0, found.1, &self.options);
        }
    }

    /// Sends a request, and waits for the head of its response.
    async fn exchange<B>(
        &self,
        parts: &Parts,
        script: Option<&Script>,
        content: Content<B>,
    ) -> Result<(Exchange, (Head, Bytes)), GatewayError>
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        let options = &self.options;
        let permit = self.program.turn(options).await?;
        // A request that was lost with a kept connection may be sent again, once.
        let again = match &content {
            Content::Stored(bytes) if parts.method.is_idempotent() => Some(bytes.clone()),
            _ => None,
        };
        let request = ToProgram {
            parts,
            script,
            content,
        };
        let mut exchange = self.program.begin(request, permit, options).await?;
        let error = match exchange.head(options).await {
            Ok(found) => return Ok((exchange, found)),
            Err(error) => error,
        };
        let is_lost = exchange.is_on_kept && exchange.source.is_untouched();
        let (true, GatewayError::NoResponse, Some(bytes)) = (is_lost, error, again) else {
            return Err(error);
        };
        tracing::debug!("the program has closed a connection that was kept");
        drop(exchange);
        let permit = self.program.turn(options).await?;
        let request = ToProgram {
            parts,
            script,
            content: Content::Stored(bytes),
        };
        let mut exchange = self.program.begin_again(request, permit, options).await?;
        let found = exchange.head(options).await?;
        Ok((exchange, found))
    }

    fn script(&self, parts: &Parts) -> Result<Wanted, GatewayError> {
        let Some(scripts) = &self.options.scripts else {
            return Ok(Wanted::Script(None));
        };
        match scripts.find(parts.path_info()) {
            Found::Script(script) => Ok(Wanted::Script(Some(script))),
            Found::Directory => Ok(Wanted::Redirect(Box::new(with_slash(parts)))),
            Found::Malformed => Err(GatewayError::ControlCharacter),
            Found::Nothing => Err(GatewayError::NoScript),
        }
    }

    /// Returns the request for the path of a local redirect, and its script. Returns `None` if the
    /// client has to follow it, because the path leads out of the mount, or to no script.
    fn redirected(
        &self,
        parts: &Parts,
        head: &Head,
        redirects: u8,
    ) -> Result<Option<(Parts, Option<Script>)>, GatewayError> {
        let Some(most) = self.options.local_redirects else {
            return Ok(None);
        };
        let target = self.target(parts, head);
        if target.is_some() && redirects >= most {
            tracing::warn!(most, "{}", GatewayError::RedirectLoop);
            return Err(GatewayError::RedirectLoop);
        }
        Ok(target)
    }

    fn target(&self, parts: &Parts, head: &Head) -> Option<(Parts, Option<Script>)> {
        let location = head.headers.get(LOCATION)?.to_str().ok()?;
        // The client would not get the fragment.
        if location.contains('#') {
            return None;
        }
        let mount = parts.script_name();
        let path = location.strip_prefix(prefix(parts))?;
        let rest = path.strip_prefix(mount)?;
        let is_below = matches!(rest.as_bytes().first(), None | Some(b'/' | b'?'));
        if !is_below {
            return None;
        }
        let mut target = parts.clone();
        let mut uri = std::mem::take(&mut target.uri).into_parts();
        uri.path_and_query = Some(match path.starts_with('/') {
            true => PathAndQuery::try_from(path).ok()?,
            // It is the prefix itself.
            false => PathAndQuery::try_from(format!("/{path}")).ok()?,
        });
        target.uri = uri.try_into().ok()?;
        target.method = Method::GET;
        for name in OF_CONTENT {
            target.headers.remove(name);
        }
        target.extensions.remove::<ScriptName>();
        let mut target = Request::from_parts(target, ());
        if !ScriptName::grow(&mut target, mount.len()) {
            return None;
        }
        let (target, ()) = target.into_parts();
        match self.script(&target) {
            Ok(Wanted::Script(script)) => Some((target, script)),
            Ok(Wanted::Redirect(_)) | Err(_) => None,
        }
    }
}

/// The fields about the body of a request.
const OF_CONTENT: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_TYPE,
];

enum Wanted {
    /// `None` if all paths are the program's.
    Script(Option<Script>),
    Redirect(Box<Response<ResponseBody>>),
}

/// Returns the prefix that a proxy in front has stripped.
fn prefix(parts: &Parts) -> &str {
    parts.extensions.get::<Origin>().map_or("", Origin::prefix)
}

/// Returns the redirect to the path with a slash at its end.
fn with_slash(parts: &Parts) -> Response<ResponseBody> {
    let path = [prefix(parts), parts.script_name(), parts.path_info()].concat();
    // Two slashes would begin the name of a host.
    let path = path.trim_start_matches('/');
    let query: Cow<'_, str> = match parts.uri.query() {
        Some(query) => format!("?{query}").into(),
        None => "".into(),
    };
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    match HeaderValue::try_from(format!("/{path}/{query}")) {
        Ok(location) => {
            response.headers_mut().insert(LOCATION, location);
        }
        Err(error) => tracing::error!(error = %Chain(&error), "a path is not a header's value"),
    }
    response
}
