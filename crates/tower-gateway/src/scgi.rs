//! SCGI: programs as a service, and a service as a program.

use std::{
    convert::Infallible,
    future::Future,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BuildError, GatewayError, Listener, RequestBody, ResponseBody, ResponseFuture, Server,
    StderrLine,
    error::BoxError,
    exchange::Exchange,
    gateway::{Gateway, Program, ToProgram, Unstreamed},
    netstring::Netstring,
    options::{Options, shared_options},
    pool::{Permit, Pool, Turns},
    progress::Progress,
    scripts::Scripts,
    source::{ScgiSource, Source},
    stderr::Reporter,
    upload::{self, Plain},
};

/// A service that passes requests to an SCGI program, such as uwsgi or a Perl or Python server.
///
/// It streams both ways, over a connection for each request. It responds with the program's
/// response. If there is none, it responds with a [`Rejection`](tower_kit::Rejection) whose reason
/// is a [`GatewayError`].
///
/// A clone is one reference count. It is called within a tokio runtime.
///
/// ```
/// use axum::Router;
/// use tower_gateway::Scgi;
///
/// # fn main() -> Result<(), tower_gateway::BuildError> {
/// let app: Router = Router::new().nest_service("/old", Scgi::connect("127.0.0.1:4000")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Scgi {
    gateway: Arc<Gateway<Listening>>,
}

#[derive(Clone, Debug)]
struct Listening {
    pool: Pool,
    turns: Turns,
}

impl Scgi {
    /// Returns a service for the program at this address: `unix:/path/to.sock` or `HOST:PORT`.
    ///
    /// No connection is made before the first request. Names are looked up for each connection.
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is not an address.
    pub fn connect(address: &str) -> Result<Self, BuildError> {
        let program = Listening {
            pool: Pool::new(address.parse()?, Duration::from_secs(5), 0),
            turns: Turns::new(64),
        };
        let options = Options::new();
        let gateway = Arc::new(Gateway { options, program });
        Ok(Self { gateway })
    }

    /// Sets the scripts that paths lead to. Default: none, and the program gets SCRIPT_NAME and
    /// PATH_INFO alone.
    #[must_use]
    pub fn scripts(self, scripts: Scripts) -> Self {
        self.with(|options| options.scripts = Some(scripts))
    }

    /// Sets the largest number of connections. Further requests wait for the
    /// [`queue_timeout`](Self::queue_timeout). Default: 64.
    ///
    /// It takes effect for this service and its later clones.
    #[must_use]
    pub fn connections(self, most: usize) -> Self {
        self.with_program(|program| program.turns = Turns::new(most))
    }

    /// Sets the time for a connection, with the lookup of the name. Then the response is a 504.
    /// Default: 5 seconds.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.with_program(|program| program.pool = program.pool.with(Some(timeout), None))
    }

    shared_options!();

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut Arc::make_mut(&mut self.gateway).options);
        self
    }

    fn with_program(mut self, change: impl FnOnce(&mut Listening)) -> Self {
        change(&mut Arc::make_mut(&mut self.gateway).program);
        self
    }
}

/// Serves a tower service as a SCGI program until SIGTERM or Ctrl-C, and then lets requests end. It
/// is the short form of [`Server::scgi`] with the defaults.
///
/// # Errors
///
/// Returns the errors of [`Server::scgi`].
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tokio::net::TcpListener;
/// use tower_gateway::scgi;
///
/// /// The body of `main` under `#[tokio::main]`.
/// async fn run() -> std::io::Result<()> {
///     let app = Router::new().route("/", get(async || "hello"));
///     let listener = TcpListener::bind("127.0.0.1:4000").await?;
///     scgi::serve(listener, app).await
/// }
/// ```
pub async fn serve<S, B>(listener: impl Into<Listener>, service: S) -> io::Result<()>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Server::new().scgi(listener, service).await
}

impl<B> Service<Request<B>> for Scgi
where
    B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        ResponseFuture::new(self.gateway.clone().respond(request))
    }
}

impl Program for Listening {
    fn turn(&self, options: &Options) -> impl Future<Output = Result<Permit, GatewayError>> + Send {
        self.turns.wait(options.queue_timeout)
    }

    async fn begin<B>(
        &self,
        request: ToProgram<'_, B>,
        permit: Permit,
        options: &Options,
    ) -> Result<Exchange, GatewayError>
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        let mut head = Netstring::default();
        let variables = request.variables(request.content.length(), options);
        variables.write(&mut head)?;
        let head = head.finish();
        let stream = self.pool.connect().await?;
        let progress = Arc::new(Progress::new());
        let rest = {
            let (to, progress) = (Plain(stream.clone()), progress.clone());
            let content = request.content;
            async move {
                if to.0.write_all(&mut [IoSlice::new(&head)]).await.is_ok() {
                    upload::send(content, to, progress).await?;
                }
                Ok(())
            }
        };
        Ok(Exchange {
            source: Source::Scgi(ScgiSource::new(stream, permit)),
            rest: Some(Box::pin(rest)),
            progress,
            is_on_kept: false,
        })
    }

    async fn begin_again(
        &self,
        request: ToProgram<'_, Unstreamed>,
        permit: Permit,
        options: &Options,
    ) -> Result<Exchange, GatewayError> {
        self.begin(request, permit, options).await
    }
}
