use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

/// Opens a socket in the file system, in place of one that nobody listens on any more.
pub(crate) async fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    remove_stale(path).await?;
    let listener = UnixListener::bind(path)?;
    let file = SocketFile::new(path)?;
    Ok((listener, file))
}

/// A server that was killed leaves its file behind, and it would be in the way for ever.
async fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            let text =
                "there is something that is not a socket (remove it, or choose another path)";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    match UnixStream::connect(path).await {
        Ok(_) => {
            let text = "somebody answers there (end the other server, or choose another path)";
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full queue, a socket of another sort, no permission: somebody may well be there.
        Err(error) => {
            let text = format!(
                "there is a socket, and whether it is in use cannot be told: {error} (remove it, or choose another path)"
            );
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
    }
}

/// The file of a socket of one's own, removed when this is dropped, unless another has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    /// The path stays right when the process changes its directory.
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: std::path::absolute(path)?,
            id: id(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id) {
            // Nobody is left to be told. The next server removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device and inode: no two files have the same while both are there.
fn id(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
