//! FastCGI: programs as a service, and a service as a program.

use std::{
    convert::Infallible,
    future::Future,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BuildError, GatewayError, Listener, RequestBody, ResponseBody, ResponseFuture, Server,
    StderrLine,
    content::Content,
    error::BoxError,
    exchange::{Exchange, Rest},
    gateway::{Gateway, Program, ToProgram, Unstreamed},
    options::{Options, shared_options},
    params::Params,
    pool::{Kept, Permit, Pool, Turns},
    progress::{Progress, Upload},
    record::{self, Header, STDIN},
    scripts::Scripts,
    source::{FastCgiSource, Source},
    stderr::{Reporter, Stderr},
    stream::Stream,
    upload::{self, Stdin},
};

/// A service that passes requests to a FastCGI program, such as php-fpm.
///
/// It streams both ways. It responds with the program's response. If there is none, it responds
/// with a [`Rejection`](tower_kit::Rejection) whose reason is a [`GatewayError`].
///
/// A clone is one reference count and shares the connections. It is called within a tokio runtime.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_gateway::{FastCgi, Scripts};
///
/// # fn main() -> Result<(), tower_gateway::BuildError> {
/// let php = FastCgi::connect("unix:/run/php/php8.2-fpm.sock")?
///     .scripts(Scripts::php("/srv/www"));
/// let app: Router = Router::new()
///     .route("/new", get(async || "new"))
///     .fallback_service(php);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FastCgi {
    gateway: Arc<Gateway<Listening>>,
}

/// A program that listens.
#[derive(Clone, Debug)]
struct Listening {
    pool: Pool,
    turns: Turns,
}

impl FastCgi {
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
    /// PATH_INFO alone, as those that are not PHP expect it.
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

    /// Sets how many idle connections are kept for later requests, for at most 30 seconds.
    /// Default: 0, because each one occupies a process of php-fpm.
    ///
    /// Set [`connections`](Self::connections) to at most the program's number of processes
    /// (`pm.max_children`) then. Otherwise a request can wait on a connection that no process
    /// takes, while the processes wait on connections that are kept.
    #[must_use]
    pub fn keep_connections(self, most: usize) -> Self {
        self.with_program(|program| program.pool = program.pool.with(None, Some(most)))
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

/// Serves a tower service as a FastCGI program until SIGTERM or Ctrl-C, and then lets requests end.
/// It is the short form of [`Server::fastcgi`] with the defaults.
///
/// # Errors
///
/// Returns the errors of [`Server::fastcgi`].
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tokio::net::UnixListener;
/// use tower_gateway::fastcgi;
///
/// /// The body of `main` under `#[tokio::main]`.
/// async fn run() -> std::io::Result<()> {
///     let app = Router::new().route("/", get(async || "hello"));
///     let listener = UnixListener::bind("/run/site/site.sock")?;
///     fastcgi::serve(listener, app).await
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
    Server::new().fastcgi(listener, service).await
}

impl<B> Service<Request<B>> for FastCgi
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
        let head = self.head(&request, options)?;
        let is_stored = matches!(request.content, Content::Stored(_));
        let kept = self
            .pool
            .kept(is_stored && request.parts.method.is_idempotent());
        let is_on_kept = kept.is_some();
        let connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        let exchange = self.send(request, head, connection, permit, options);
        Ok(Exchange {
            is_on_kept,
            ..exchange
        })
    }

    async fn begin_again(
        &self,
        request: ToProgram<'_, Unstreamed>,
        permit: Permit,
        options: &Options,
    ) -> Result<Exchange, GatewayError> {
        let head = self.head(&request, options)?;
        let connection = self.connect().await?;
        Ok(self.send(request, head, connection, permit, options))
    }
}

impl Listening {
    async fn connect(&self) -> Result<Kept, GatewayError> {
        Ok(Kept {
            stream: self.pool.connect().await?,
            buffer: BytesMut::new(),
            timer: None,
        })
    }

    /// Returns the records before the body.
    fn head<B>(
        &self,
        request: &ToProgram<'_, B>,
        options: &Options,
    ) -> Result<Vec<u8>, GatewayError>
    where
        B: Body<Data: Buf, Error: Into<BoxError>>,
    {
        let mut head = Vec::with_capacity(1024);
        head.extend(record::begin_request(self.pool.keeps()));
        let mut params = Params::after(head);
        let variables = request.variables(request.content.length(), options);
        variables.write(&mut params)?;
        Ok(params.finish())
    }

    fn send<B>(
        &self,
        request: ToProgram<'_, B>,
        mut head: Vec<u8>,
        connection: Kept,
        permit: Permit,
        options: &Options,
    ) -> Exchange
    where
        B: Body<Data: Buf, Error: Into<BoxError>> + Send + 'static,
    {
        let progress = Arc::new(Progress::new());
        let stream = &connection.stream;
        let rest: Option<Rest> = match request.content {
            Content::Stored(bytes) if bytes.is_empty() => {
                head.extend(Header::of(STDIN, 0).bytes());
                rest(stream, head, &progress)
            }
            content => {
                let (to, progress) = (Stdin(stream.clone()), progress.clone());
                Some(Box::pin(async move {
                    if to.0.write_all(&mut [IoSlice::new(&head)]).await.is_ok() {
                        upload::send(content, to, progress).await?;
                    }
                    Ok(())
                }))
            }
        };
        let stderr = Stderr::new(&options.stderr, request.parts);
        let pool = self.pool.clone();
        let source = FastCgiSource::new(connection, pool, progress.clone(), stderr, permit);
        Exchange {
            source: Source::FastCgi(Box::new(source)),
            rest,
            progress,
            is_on_kept: false,
        }
    }
}

/// Writes a request without a body. Mostly that is possible at once, and nothing is left.
fn rest(stream: &Arc<Stream>, mut head: Vec<u8>, progress: &Arc<Progress>) -> Option<Rest> {
    let written = stream.try_write(&head);
    if written == head.len() {
        progress.set(Upload::Done);
        return None;
    }
    head.drain(..written);
    let (stream, progress) = (stream.clone(), progress.clone());
    Some(Box::pin(async move {
        // If the program does not read, its response decides.
        if stream.write_all(&mut [IoSlice::new(&head)]).await.is_ok() {
            progress.set(Upload::Done);
        }
        Ok(())
    }))
}
