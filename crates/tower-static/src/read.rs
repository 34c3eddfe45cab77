//! Reads: what the thread of a request reads itself, and what it leaves to another one.

use std::{
    fs::File,
    io::{self, ErrorKind},
    mem,
    path::Path,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

/// How many bytes are read at once.
pub(crate) const CHUNK: usize = 128 << 10;

/// Whether a read may wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A read fails with [`ErrorKind::WouldBlock`] if the system does not have the bytes in memory.
    Never,
    ForDisk,
}

/// Opens a file for reading. It waits for no writer of a pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;

        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

/// Reads `length` bytes from `start`, and fewer only at the end of the file. At most [`CHUNK`].
pub(crate) fn read_at(file: &File, start: u64, length: u64, wait: Wait) -> io::Result<Bytes> {
    let length = usize::try_from(length).map_or(CHUNK, |length| length.min(CHUNK));
    if length > CHUNK / 2 {
        let mut buffer = Buffer::new();
        buffer.filled = fill(file, &mut buffer.bytes[..length], start, wait)?;
        return Ok(Bytes::from_owner(buffer));
    }
    let mut bytes = vec![0; length];
    let filled = fill(file, &mut bytes, start, wait)?;
    bytes.truncate(filled);
    Ok(bytes.into())
}

/// Reads all of a file of this length. Returns `None` if it is shorter by now.
pub(crate) fn read_all(file: &File, length: u64, wait: Wait) -> io::Result<Option<Bytes>> {
    let length = usize::try_from(length).map_err(|_| ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; length];
    let filled = fill(file, &mut bytes, 0, wait)?;
    Ok((filled == length).then(|| bytes.into()))
}

/// Memory of one chunk, which is used again.
///
/// New memory would be cleared first, and it would not be in the processor's cache.
struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
}

/// Chunks that wait for their next use. The last one is used first.
static UNUSED: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// How many chunks wait at most: 2 MiB for all threads of a process.
const MOST_UNUSED: usize = 16;

impl Buffer {
    fn new() -> Self {
        let unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self {
            bytes: unused.unwrap_or_else(|| vec![0; CHUNK].into()),
            filled: 0,
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut unused = UNUSED.lock().unwrap_or_else(PoisonError::into_inner);
        if unused.len() < MOST_UNUSED {
            unused.push(mem::take(&mut self.bytes));
        }
    }
}

/// Returns how many bytes were read: all, except at the end of the file.
fn fill(file: &File, bytes: &mut [u8], start: u64, wait: Wait) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match read_some(file, &mut bytes[filled..], start + filled as u64, wait) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(unix)]
fn read_some(file: &File, bytes: &mut [u8], start: u64, wait: Wait) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;

    match wait {
        Wait::Never => read_from_memory(file, bytes, start),
        Wait::ForDisk => file.read_at(bytes, start),
    }
}

#[cfg(not(unix))]
fn read_some(mut file: &File, bytes: &mut [u8], start: u64, wait: Wait) -> io::Result<usize> {
    use std::io::{Read, Seek, SeekFrom};

    match wait {
        Wait::Never => Err(ErrorKind::WouldBlock.into()),
        Wait::ForDisk => {
            file.seek(SeekFrom::Start(start))?;
            file.read(bytes)
        }
    }
}

#[cfg(target_os = "linux")]
fn read_from_memory(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    use std::io::IoSliceMut;

    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    let mut bytes = [IoSliceMut::new(bytes)];
    preadv2(file, &mut bytes, start, ReadWriteFlags::NOWAIT).map_err(|error| match error {
        // Not every file system knows what it has in memory, and no kernel before 4.14.
        Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL => ErrorKind::WouldBlock.into(),
        error => error.into(),
    })
}

#[cfg(all(unix, not(target_os = "linux")))]
fn read_from_memory(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(ErrorKind::WouldBlock.into())
}
