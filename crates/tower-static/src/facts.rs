//! What the system knows of a file without reading it.

use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, SystemTime},
};

/// How old a change has to be, so that a further one cannot have the same time: the clocks of file
/// systems tick in up to two seconds.
const SAME_TIME: Duration = Duration::from_secs(2);

/// What a file is, and in which state.
///
/// No program can set the time of a file's last change, and each change of the content, the owner
/// or the permissions sets it. So a settled file with the same facts is the same file, and has the
/// same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
    /// When this machine created or changed the file.
    pub(crate) changed: Option<SystemTime>,
    /// What no two files have in common, where the system has it: the device and the inode.
    pub(crate) id: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// A pipe, a socket or a device.
    Other,
}

impl Facts {
    /// Looks up what a path leads to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(facts) = linux::at(path) {
            return facts;
        }
        Ok(Self::from(&std::fs::metadata(path)?))
    }

    /// Looks up an open file.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(facts) = linux::of(file) {
            return facts;
        }
        Ok(Self::from(&file.metadata()?))
    }

    /// Returns whether the next change is sure to be seen in the facts. The time has to be from
    /// before the lookup.
    pub(crate) fn are_settled(&self, now: SystemTime) -> bool {
        let is_old = |time: Option<SystemTime>| {
            let age = time.and_then(|time| now.duration_since(time).ok());
            age.is_some_and(|age| age >= SAME_TIME)
        };
        // Not every file system has a true time of the last change.
        self.id.is_some() && is_old(self.changed) && is_old(self.modified)
    }
}

impl From<&std::fs::Metadata> for Facts {
    fn from(metadata: &std::fs::Metadata) -> Self {
        let kind = match () {
            () if metadata.is_file() => Kind::File,
            () if metadata.is_dir() => Kind::Directory,
            () => Kind::Other,
        };
        #[cfg(unix)]
        let (changed, id) = {
            use std::os::unix::fs::MetadataExt;

            let nanos = u32::try_from(metadata.ctime_nsec()).unwrap_or(0);
            let id = (metadata.dev(), metadata.ino());
            (time(metadata.ctime(), nanos), Some(id))
        };
        #[cfg(not(unix))]
        let (changed, id) = (None, None);
        Self {
            kind,
            size: metadata.len(),
            modified: metadata.modified().ok(),
            changed,
            id,
        }
    }
}

#[cfg(unix)]
fn time(seconds: i64, nanos: u32) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let whole = match seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(whole),
        false => SystemTime::UNIX_EPOCH.checked_add(whole),
    };
    whole?.checked_add(Duration::from_nanos(nanos.into()))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs::File, io, path::Path};

    use rustix::{
        fs::{AtFlags, CWD, FileType, Statx, StatxFlags, makedev, statx},
        io::Errno,
    };

    use super::{Facts, Kind, time};

    /// A network file system is to ask its server, as it does when a file is opened.
    const TRUE: AtFlags = AtFlags::STATX_FORCE_SYNC;

    /// Returns `None` if the kernel is older than 4.11.
    pub(super) fn at(path: &Path) -> Option<io::Result<Facts>> {
        facts(statx(CWD, path, TRUE, StatxFlags::BASIC_STATS))
    }

    pub(super) fn of(file: &File) -> Option<io::Result<Facts>> {
        let flags = TRUE | AtFlags::EMPTY_PATH;
        facts(statx(file, c"", flags, StatxFlags::BASIC_STATS))
    }

    fn facts(found: rustix::io::Result<Statx>) -> Option<io::Result<Facts>> {
        let found = match found {
            Ok(found) => found,
            Err(Errno::NOSYS) => return None,
            Err(error) => return Some(Err(error.into())),
        };
        let kind = match FileType::from_raw_mode(found.stx_mode.into()) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            _ => Kind::Other,
        };
        let device = makedev(found.stx_dev_major, found.stx_dev_minor);
        Some(Ok(Facts {
            kind,
            size: found.stx_size,
            modified: time(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
            changed: time(found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
            id: Some((device, found.stx_ino)),
        }))
    }
}

#[cfg(all(test, unix))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
mod tests {
    use super::*;

    #[test]
    fn static_15_a_file_that_has_just_changed_is_not_settled() {
        let settled = |changed: u64, modified: u64| {
            let at = |millis| Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
            let facts = Facts {
                kind: Kind::File,
                size: 1,
                modified: at(modified),
                changed: at(changed),
                id: Some((1, 1)),
            };
            facts.are_settled(SystemTime::UNIX_EPOCH + Duration::from_secs(10))
        };
        for (changed, modified, expected, why) in [
            (8000, 8000, true, "two seconds"),
            (0, 0, true, "an old file"),
            (8001, 0, false, "a change"),
            (0, 8001, false, "a change without a time of its own"),
            (0, 99_000, false, "of the future"),
            (99_000, 0, false, "a clock that was set back"),
        ] {
            assert_eq!(settled(changed, modified), expected, "{why}");
        }
    }

    /// The two ways to the facts, of which old kernels have one.
    #[test]
    fn static_15_facts_are_the_same_by_path_and_file() {
        for path in ["Cargo.toml", "src", "/dev/null"] {
            let path = Path::new(path);
            let expected = Facts::from(&std::fs::metadata(path).unwrap());
            assert_eq!(Facts::at(path).unwrap(), expected, "{path:?}");
            let file = File::open(path).unwrap();
            assert_eq!(Facts::of(&file).unwrap(), expected, "{path:?}");
        }
        let error = Facts::at(Path::new("nowhere")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn static_15_times_before_1970_are_exact() {
        let half = Duration::from_millis(500);
        for (seconds, expected) in [
            (-1, SystemTime::UNIX_EPOCH - half),
            (0, SystemTime::UNIX_EPOCH + half),
        ] {
            assert_eq!(time(seconds, 500_000_000), Some(expected));
        }
        // The largest time of a file system is one of the system's.
        assert!(time(i64::MAX, 999_999_999).is_some());
    }
}
