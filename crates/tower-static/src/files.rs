use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;

use crate::{CharsetError, Coding, memory::Memory};

/// How many bytes of contents are kept by default.
const CONTENTS: u64 = 16 << 20;

/// A service that responds with the files of a directory.
///
/// A path that leads to no file is a 404 with a [`Rejection`](tower_kit::Rejection), so a cascade
/// falls through to its next service. A clone is one reference count.
///
/// On Linux the thread of a request opens a file, and reads what the system has of it in memory. A
/// thread of tokio's that may block reads the rest, so it is called within a tokio runtime.
///
/// ```
/// use std::time::Duration;
///
/// use axum::{Router, body::Body, http::Request};
/// use tower::ServiceExt;
/// use tower_static::Files;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = Files::new(env!("CARGO_MANIFEST_DIR")).max_age(Duration::from_secs(60));
/// let app: Router = Router::new().nest_service("/assets", files);
///
/// let request = Request::get("/assets/README.md").body(Body::empty())?;
/// let response = app.oneshot(request).await?;
/// assert_eq!(response.headers()["content-type"], "text/markdown; charset=utf-8");
/// assert_eq!(response.headers()["cache-control"], "max-age=60");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Files {
    pub(crate) options: Arc<Options>,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) root: PathBuf,
    pub(crate) dotfiles: bool,
    pub(crate) well_known: bool,
    pub(crate) index: bool,
    pub(crate) hidden: Vec<PathBuf>,
    pub(crate) cache_control: Option<HeaderValue>,
    pub(crate) charset: Charset,
    pub(crate) precompressed: Vec<Coding>,
    pub(crate) memory: Memory,
}

/// The charset that the type of a text file names.
#[derive(Clone, Debug)]
pub(crate) enum Charset {
    /// UTF-8, if the file is in UTF-8.
    Detected,
    None,
    Fixed(String),
}

impl Files {
    /// Returns a service for the files of this directory.
    ///
    /// The directory is looked up for each request. Without it, each response is a 404.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            options: Arc::new(Options {
                root: root.into(),
                dotfiles: false,
                well_known: false,
                index: true,
                hidden: Vec::new(),
                cache_control: None,
                charset: Charset::Detected,
                precompressed: Vec::new(),
                memory: Memory::new(CONTENTS),
            }),
        }
    }

    /// Sets how long a cache may keep a file without asking again, as `Cache-Control: max-age=…`,
    /// in whole seconds. Default: no `Cache-Control`.
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        let value = format!("max-age={}", age.as_secs());
        let value = HeaderValue::try_from(value).expect("letters and digits make a value");
        self.with(|options| options.cache_control = Some(value))
    }

    /// Sets the charset that all text files are in, such as `windows-1252`. Default: a text whose
    /// first 64 KiB are UTF-8 gets `charset=utf-8`.
    ///
    /// The later of this and [`without_charset`](Self::without_charset) counts.
    ///
    /// # Errors
    ///
    /// Returns an error for a name that has other characters than letters, digits and `-_.:+`.
    pub fn charset(self, name: impl Into<String>) -> Result<Self, CharsetError> {
        let name = name.into();
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_legal) {
            return Err(CharsetError(name));
        }
        Ok(self.with(|options| options.charset = Charset::Fixed(name)))
    }

    /// Switches off that the type of a text file names a charset.
    ///
    /// The later of this and [`charset`](Self::charset) counts.
    #[must_use]
    pub fn without_charset(self) -> Self {
        self.with(|options| options.charset = Charset::None)
    }

    /// Sets which compressed variants are sent instead of a file, if they lie beside it and the
    /// client takes their coding: `app.js.br` for `app.js`. Default: none.
    ///
    /// The order decides between codings that the client takes as gladly. A variant that is older
    /// than its file is not sent. All files then have `Vary: Accept-Encoding`. Each request of such
    /// a client looks up each variant until one is found.
    #[must_use]
    pub fn precompressed(self, codings: impl IntoIterator<Item = Coding>) -> Self {
        self.with(|options| options.precompressed = codings.into_iter().collect())
    }

    /// Sets how many bytes of the contents of files are kept in memory. Default: 16 MiB. With 0,
    /// none are kept.
    ///
    /// A file of at most 1 MiB is kept after a request, unless it has changed within the last two
    /// seconds. Each request looks up whether it is still the same file, so no response is stale.
    /// The rules have the exceptions. Contents that are dropped stay in memory until they are sent.
    #[must_use]
    pub fn content_cache(self, bytes: u64) -> Self {
        self.with(|options| options.memory = Memory::new(bytes))
    }

    /// Switches off that the path of a directory is its `index.html`, and that a path without the
    /// slash at its end is redirected to it. Both are then a 404.
    #[must_use]
    pub fn without_index(self) -> Self {
        self.with(|options| options.index = false)
    }

    /// Switches on that `/.well-known/` is served (RFC 8615), without the dotfiles in it. Default:
    /// off.
    #[must_use]
    pub fn well_known(self) -> Self {
        self.with(|options| options.well_known = true)
    }

    /// Switches on that files and directories are served whose name begins with a dot. Default:
    /// off.
    ///
    /// Such files often are secrets, as `.env`, `.htpasswd` and `.git` are.
    #[must_use]
    pub fn dotfiles(self) -> Self {
        self.with(|options| options.dotfiles = true)
    }

    /// Adds files that are not served, such as a configuration file below the directory. A link to
    /// such a file is not served either. Default: none.
    ///
    /// A relative path is relative to the directory of this service, and not to the directory that
    /// the process runs in. Each request looks up each of these files.
    #[must_use]
    pub fn hidden<P: Into<PathBuf>>(self, files: impl IntoIterator<Item = P>) -> Self {
        self.with(|options| {
            let files = files.into_iter().map(Into::into);
            let files = files.map(|file| options.root.join(file));
            options.hidden.extend(files);
        })
    }

    fn with(self, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Arc::unwrap_or_clone(self.options);
        change(&mut options);
        let options = Arc::new(options);
        Self { options }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("root", &self.options.root)
            .finish_non_exhaustive()
    }
}
