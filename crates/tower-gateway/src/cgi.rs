//! CGI: programs as a service, and a service as a program.

use std::{
    convert::Infallible,
    ffi::OsString,
    future::Future,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BuildError, GatewayError, RequestBody, ResponseBody, ResponseFuture, Server, StderrLine,
    error::BoxError,
    exchange::Exchange,
    gateway::{Gateway, Program, ToProgram, Unstreamed},
    options::{Options, shared_options},
    pool::{Permit, Turns},
    process::{Environment, Process},
    progress::Progress,
    scripts::{Scripts, absolute},
    source::Source,
    stderr::{Reporter, Stderr},
    upload,
    variables::Sink,
};

/// A service that runs a CGI program for each request (RFC 3875).
///
/// It streams both ways. It responds with the program's response. If there is none, it responds
/// with a [`Rejection`](tower_kit::Rejection) whose reason is a [`GatewayError`].
///
/// The program has the variables of the request, PATH, those of [`env`](Self::env), and no other
/// ones. It runs in the directory where it is, in a process group of its own. If the client leaves,
/// the group gets SIGTERM, and SIGKILL three seconds later.
///
/// A clone is one reference count. It is called within a tokio runtime.
///
/// ```
/// use axum::Router;
/// use tower_gateway::Cgi;
///
/// # fn main() -> Result<(), tower_gateway::BuildError> {
/// let git = Cgi::new("/usr/lib/git-core/git-http-backend").env("GIT_PROJECT_ROOT", "/srv/git")?;
/// let app: Router = Router::new().nest_service("/git", git);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cgi {
    gateway: Arc<Gateway<Programs>>,
}

/// The programs, and how many run.
#[derive(Clone, Debug)]
struct Programs {
    /// `None` if each script is a program.
    program: Option<PathBuf>,
    arguments: Vec<OsString>,
    turns: Turns,
}

impl Cgi {
    /// Returns a service that runs this program for all paths.
    ///
    /// A name without a slash is looked up in PATH.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let program = match program.components().count() {
            0 | 1 => program,
            _ => absolute(program),
        };
        Self::of(Some(program), None)
    }

    /// Returns a service that runs the script that the path leads to.
    ///
    /// ```
    /// use tower_gateway::{Cgi, Scripts};
    ///
    /// let cgi_bin = Cgi::scripts(Scripts::directory("/srv/cgi-bin", ".cgi", "index.cgi"));
    /// ```
    pub fn scripts(scripts: Scripts) -> Self {
        Self::of(None, Some(scripts))
    }

    fn of(program: Option<PathBuf>, scripts: Option<Scripts>) -> Self {
        let options = Options {
            scripts,
            ..Options::new()
        };
        let program = Programs {
            program,
            arguments: Vec::new(),
            turns: Turns::new(16),
        };
        let gateway = Arc::new(Gateway { options, program });
        Self { gateway }
    }

    /// Adds an argument of the program. Default: none.
    #[must_use]
    pub fn arg(self, argument: impl Into<OsString>) -> Self {
        self.with_program(|program| program.arguments.push(argument.into()))
    }

    /// Sets the largest number of processes. Further requests wait for the
    /// [`queue_timeout`](Self::queue_timeout). Default: 16.
    ///
    /// It takes effect for this service and its later clones.
    #[must_use]
    pub fn processes(self, most: usize) -> Self {
        self.with_program(|program| program.turns = Turns::new(most))
    }

    shared_options!();

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut Arc::make_mut(&mut self.gateway).options);
        self
    }

    fn with_program(mut self, change: impl FnOnce(&mut Programs)) -> Self {
        change(&mut Arc::make_mut(&mut self.gateway).program);
        self
    }
}

/// Serves the one request for which a web server has started this process as a CGI program. It is
/// the short form of [`Server::cgi`] with the defaults.
///
/// # Errors
///
/// Returns the errors of [`Server::cgi`].
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_gateway::cgi;
///
/// /// The body of `main` under `#[tokio::main(flavor = "current_thread")]`.
/// async fn run() -> std::io::Result<()> {
///     cgi::run(Router::new().route("/cgi-bin/hello.cgi", get(async || "hello"))).await
/// }
/// ```
pub async fn run<S, B>(service: S) -> io::Result<()>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send,
{
    Server::new().cgi(service).await
}

impl<B> Service<Request<B>> for Cgi
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

impl Program for Programs {
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
        let mut environment = Environment::default();
        environment.pair(b"PATH", &path())?;
        let variables = request.variables(request.content.length(), options);
        variables.write(&mut environment)?;
        let program: &Path = match (&self.program, request.script) {
            (Some(program), _) => program,
            (None, Some(script)) => script.path(),
            (None, None) => return Err(GatewayError::NoScript),
        };
        let stderr = Stderr::new(&options.stderr, request.parts);
        let (process, stdin) = Process::start(
            program,
            &self.arguments,
            environment,
            stderr,
            permit,
            options.idle_timeout,
        )?;
        let progress = Arc::new(Progress::new());
        let rest = upload::send(request.content, stdin, progress.clone());
        Ok(Exchange {
            source: Source::Cgi(Box::new(process)),
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

/// Returns the value of PATH: that of this process.
fn path() -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    match std::env::var_os("PATH") {
        Some(path) => path.into_vec(),
        None => b"/usr/local/bin:/usr/bin:/bin".to_vec(),
    }
}
