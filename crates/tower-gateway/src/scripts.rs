//! The script that a path leads to.

use std::{
    borrow::Cow,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;

/// The scripts of a directory, or one script for all paths.
///
/// A path leads to the script whose name is its first segment with the extension, such as
/// `/doku.php` in `/doku.php/wiki/start`. The rest of the path is PATH_INFO. A path that ends with
/// a slash leads to the index of that directory. Any other path leads to no script, and is a 404
/// that [`no_script`](crate::no_script) knows.
///
/// The file has to exist in the directory. Names that begin with a dot are not found.
///
/// ```
/// use tower_gateway::{FastCgi, Scripts};
///
/// # fn main() -> Result<(), tower_gateway::BuildError> {
/// let wiki = FastCgi::connect("unix:/run/php/php8.2-fpm.sock")?
///     .scripts(Scripts::php("/usr/share/dokuwiki").follow_links());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Scripts {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    File(PathBuf),
    Directory(Directory),
}

#[derive(Clone, Debug)]
struct Directory {
    root: PathBuf,
    extension: String,
    index: String,
    fallback: Option<String>,
    files: Files,
}

/// Where a script has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    /// Below the root, after all links.
    BelowRoot,
    /// Anywhere, if links lead there.
    Linked,
    /// On another machine, so it is not looked at.
    Remote,
}

/// The script of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The file, SCRIPT_FILENAME.
    pub(crate) file: Vec<u8>,
    /// DOCUMENT_ROOT.
    pub(crate) root: Option<Vec<u8>>,
    /// The decoded path of the script below the mount, which is the end of SCRIPT_NAME.
    pub(crate) name: Vec<u8>,
    /// The decoded rest of the path.
    pub(crate) path_info: Vec<u8>,
}

impl Script {
    /// Returns the file of the script.
    #[cfg(unix)]
    pub(crate) fn path(&self) -> &Path {
        Path::new(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
            &self.file,
        ))
    }
}

/// The result for one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Script(Script),
    /// It is a directory with an index, and the path has no slash at its end.
    Directory,
    /// The path has control characters.
    Malformed,
    Nothing,
}

impl Scripts {
    /// Returns the PHP scripts below a document root. The extension is `.php`, and the index of a
    /// directory is `index.php`.
    pub fn php(root: impl Into<PathBuf>) -> Self {
        Self::directory(root, ".php", "index.php")
    }

    /// Returns the scripts below a document root that have this extension, and the name that is the
    /// index of a directory.
    ///
    /// The extension is compared byte by byte, so `.PHP` is another one.
    pub fn directory(
        root: impl Into<PathBuf>,
        extension: impl Into<String>,
        index: impl Into<String>,
    ) -> Self {
        let kind = Kind::Directory(Directory {
            root: absolute(root.into()),
            extension: extension.into(),
            index: index.into(),
            fallback: None,
            files: Files::BelowRoot,
        });
        Self { kind }
    }

    /// Returns one script for all paths, such as `/usr/lib/cgit/cgit.cgi` for `fcgiwrap`. All of
    /// the path is PATH_INFO. The file is not looked at.
    pub fn file(script: impl Into<PathBuf>) -> Self {
        let kind = Kind::File(absolute(script.into()));
        Self { kind }
    }

    /// Sets a script for the paths that lead to no other one, such as `/index.php`. It is a path
    /// below the document root. Default: none.
    ///
    /// It has no effect on [`file`](Self::file).
    #[must_use]
    pub fn fallback(mut self, script: impl Into<String>) -> Self {
        if let Kind::Directory(directory) = &mut self.kind {
            directory.fallback = Some(script.into());
        }
        self
    }

    /// Follows links that lead out of the document root. By default a script behind such a link is
    /// not found.
    #[must_use]
    pub fn follow_links(self) -> Self {
        self.with_files(Files::Linked)
    }

    /// States that the document root is a directory of another machine, as with php-fpm in a
    /// container. By default the file has to exist here.
    ///
    /// No script is looked at, so every path with the extension is passed on. A path that ends with
    /// a slash has the index. Keep uploads outside of such a root: whether a file with the
    /// extension is run depends on the program alone.
    #[must_use]
    pub fn remote_root(self) -> Self {
        self.with_files(Files::Remote)
    }

    fn with_files(mut self, files: Files) -> Self {
        if let Kind::Directory(directory) = &mut self.kind {
            directory.files = files;
        }
        self
    }

    /// Returns the script for a raw path below the mount. It is empty at the mount itself.
    pub(crate) fn find(&self, path: &str) -> Found {
        match &self.kind {
            Kind::File(file) => {
                let path_info: Vec<u8> = percent_decode_str(path).collect();
                if path_info.iter().any(u8::is_ascii_control) {
                    return Found::Malformed;
                }
                Found::Script(Script {
                    file: bytes(file).into_owned(),
                    root: None,
                    name: Vec::new(),
                    path_info,
                })
            }
            Kind::Directory(directory) => directory.find(path),
        }
    }
}

impl Directory {
    fn find(&self, path: &str) -> Found {
        // `OPTIONS *` is about the whole server.
        if path == "*" {
            return Found::Nothing;
        }
        let segments: Vec<Cow<'_, [u8]>> = path
            .split('/')
            .skip(1)
            .map(|segment| percent_decode_str(segment).into())
            .collect();
        // php-fpm and others use the decoded path as the name of a file, and in logs.
        if segments
            .iter()
            .any(|segment| segment.iter().any(u8::is_ascii_control))
        {
            return Found::Malformed;
        }
        self.script(path, &segments)
            .or_else(|| self.index(&segments))
            .or_else(|| self.fallback())
            .unwrap_or(Found::Nothing)
    }

    /// Returns the script that a segment names.
    fn script(&self, path: &str, segments: &[Cow<'_, [u8]>]) -> Option<Found> {
        let extension = self.extension.as_bytes();
        let position = segments
            .iter()
            .position(|segment| segment.ends_with(extension))?;
        let file = self.file(&segments[..=position])?;
        let name = joined(&segments[..=position]);
        // The raw path has one slash before each segment.
        let rest = path.match_indices('/').nth(position + 1);
        let rest = rest.map_or("", |(index, _)| &path[index..]);
        Some(self.found(file, name, percent_decode_str(rest).collect()))
    }

    /// Returns the index of a directory.
    fn index(&self, segments: &[Cow<'_, [u8]>]) -> Option<Found> {
        let (last, directory) = segments.split_last().unwrap_or((&Cow::Borrowed(b""), &[]));
        let is_slash_missing = segments.is_empty() || !last.is_empty();
        let directory = if last.is_empty() { directory } else { segments };
        let mut segments = directory.to_vec();
        segments.push(self.index.as_bytes().into());
        if is_slash_missing && self.files == Files::Remote && !directory.is_empty() {
            return None;
        }
        let file = self.file(&segments)?;
        Some(match is_slash_missing {
            true => Found::Directory,
            false => self.found(file, joined(&segments), Vec::new()),
        })
    }

    fn fallback(&self) -> Option<Found> {
        let fallback = self.fallback.as_ref()?;
        let segments: Vec<Cow<'_, [u8]>> = fallback
            .trim_start_matches('/')
            .split('/')
            .map(|segment| segment.as_bytes().into())
            .collect();
        let file = self.file(&segments)?;
        Some(self.found(file, joined(&segments), Vec::new()))
    }

    fn found(&self, file: PathBuf, name: Vec<u8>, path_info: Vec<u8>) -> Found {
        Found::Script(Script {
            file: bytes(&file).into_owned(),
            root: Some(bytes(&self.root).into_owned()),
            name,
            path_info,
        })
    }

    /// Returns the file of these segments, if it may be run.
    fn file(&self, segments: &[Cow<'_, [u8]>]) -> Option<PathBuf> {
        let mut file = self.root.clone();
        for segment in segments {
            // Each segment is one name: not `..`, no decoded slash, no dotfile.
            let is_name = !segment.is_empty()
                && segment[0] != b'.'
                && !segment.iter().any(|byte| matches!(byte, b'/' | b'\\'));
            if !is_name {
                return None;
            }
            file.push(os(segment)?);
        }
        let is_found = match self.files {
            Files::Remote => true,
            Files::Linked => is_file(&file),
            Files::BelowRoot => self.is_below_root(&file, segments.len()),
        };
        is_found.then_some(file)
    }

    /// Returns whether a path of this depth leads to a file below the root, after all links.
    ///
    /// Mostly there are no links below the root. Then one look at each name is enough, which is
    /// much faster than to resolve both paths.
    fn is_below_root(&self, file: &Path, depth: usize) -> bool {
        for (index, path) in file.ancestors().take(depth).enumerate() {
            let Ok(metadata) = fs::symlink_metadata(path) else {
                return false;
            };
            if metadata.is_symlink() {
                return self.is_resolved_below_root(file);
            }
            if index == 0 && !metadata.is_file() {
                return false;
            }
        }
        true
    }

    fn is_resolved_below_root(&self, file: &Path) -> bool {
        let (Ok(file), Ok(root)) = (fs::canonicalize(file), fs::canonicalize(&self.root)) else {
            return false;
        };
        file.starts_with(root) && is_file(&file)
    }
}

/// Makes a path absolute, because the program has another working directory. A path of another
/// machine stays as it is.
pub(crate) fn absolute(path: PathBuf) -> PathBuf {
    match path.has_root() {
        true => path,
        false => std::path::absolute(&path).unwrap_or(path),
    }
}

fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn joined(segments: &[Cow<'_, [u8]>]) -> Vec<u8> {
    let mut path = Vec::new();
    for segment in segments {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    path
}

#[cfg(unix)]
fn os(bytes: &[u8]) -> Option<&OsStr> {
    Some(std::os::unix::ffi::OsStrExt::from_bytes(bytes))
}

#[cfg(not(unix))]
fn os(bytes: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(bytes).ok().map(OsStr::new)
}

/// Returns the bytes of a path. On Windows, parts that are not Unicode are replaced.
fn bytes(path: &Path) -> Cow<'_, [u8]> {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).into();
    #[cfg(not(unix))]
    let bytes = path.to_string_lossy().into_owned().into_bytes().into();
    bytes
}
