//! The version of a file, from its time or its content.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::conditions::Validators;

/// The size in bytes of the largest file whose tag is a hash of its content. It is read for each
/// request.
const HASHED: u64 = 1 << 20;

/// The number of bytes of a file that are in memory at once.
const CHUNK: u64 = 64 << 10;

/// The beginning of 1990. An earlier modification time was set by a build, because the web is not
/// older.
const WEB: Duration = Duration::from_secs(631_152_000);

/// Returns the validators of a file, which may be read from its beginning for that.
///
/// An archive or a build has set a time in whole seconds, and other content may have the same: Nix
/// sets 1, npm a day of 1985.
pub(crate) fn validators(
    file: &mut File,
    metadata: &Metadata,
    now: SystemTime,
) -> io::Result<Validators> {
    let modified = metadata.modified().ok();
    let size = metadata.len();
    let by_time = |kind, time: Duration| {
        let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
        format!("\"{kind}{seconds:x}.{nanos:x}-{size:x}\"")
    };
    let etag = match clock_time(modified) {
        Some(time) => Some(by_time("", time)),
        None if size <= HASHED => {
            file.rewind()?;
            Some(by_content(&mut file.take(size))?)
        }
        // Other machines have other times for the same file, but no other file has this one's.
        None => clock_time(changed(metadata)).map(|time| by_time("c", time)),
    };
    Ok(Validators {
        etag: etag.and_then(|etag| HeaderValue::try_from(etag).ok()),
        last_modified: modified.and_then(|modified| last_modified(modified, now)),
    })
}

fn by_content(content: &mut impl Read) -> io::Result<String> {
    let mut sha256 = Sha256::new();
    let mut chunk = Vec::new();
    while content.by_ref().take(CHUNK).read_to_end(&mut chunk)? > 0 {
        sha256.update(&chunk);
        chunk.clear();
    }
    let digest = sha256.finalize();
    let digits = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    Ok(format!("\"{}\"", digits.collect::<String>()))
}

/// Returns a time since 1970 that a clock has set.
fn clock_time(time: Option<SystemTime>) -> Option<Duration> {
    let since = time?.duration_since(UNIX_EPOCH).ok()?;
    (since.subsec_nanos() != 0).then_some(since)
}

/// Returns the date in whole seconds. A time in the future is now (RFC 9110, section 8.8.2.1). A
/// time from before the web is `None`: a cache would keep the file for a tenth of its age.
fn last_modified(modified: SystemTime, now: SystemTime) -> Option<SystemTime> {
    let since = modified.min(now).duration_since(UNIX_EPOCH).ok()?;
    (since >= WEB).then(|| UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

/// Returns when the file was created or changed on this machine. No program can set this time.
#[cfg(unix)]
fn changed(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;

    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanos = u32::try_from(metadata.ctime_nsec()).ok()?;
    Some(UNIX_EPOCH + Duration::new(seconds, nanos))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<SystemTime> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_6_dates_are_of_the_web_and_not_of_the_future() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let now = at(1_800_000_000) + Duration::from_millis(500);
        for (modified, expected, why) in [
            (UNIX_EPOCH - Duration::from_secs(1), None, "before 1970"),
            (at(0), None, "set"),
            (at(1), None, "set by Nix"),
            (at(499_162_500), None, "set by npm"),
            (at(631_152_000), Some(at(631_152_000)), "1990"),
            (at(1_600_000_000), Some(at(1_600_000_000)), "as it is"),
            (
                at(1_600_000_000) + Duration::from_millis(999),
                Some(at(1_600_000_000)),
                "in whole seconds",
            ),
            (at(4_000_000_000), Some(at(1_800_000_000)), "the future"),
            (
                at(316_000_000_000),
                Some(at(1_800_000_000)),
                "no date has its year",
            ),
        ] {
            assert_eq!(last_modified(modified, now), expected, "{why}");
        }
    }

    #[test]
    fn static_5_all_of_the_content_counts() {
        let content = vec![b'a'; CHUNK as usize + 1];
        let etag = by_content(&mut &*content).unwrap();
        assert_eq!((etag.len(), etag.starts_with('"')), (34, true));
        for at in [0, content.len() - 1] {
            let mut other = content.clone();
            other[at] = b'b';
            assert_ne!(by_content(&mut &*other).unwrap(), etag, "{at}");
        }
        assert_ne!(by_content(&mut &content[1..]).unwrap(), etag);
    }

    #[test]
    fn static_5_a_clock_gives_parts_of_seconds() {
        let second = Duration::from_secs(1);
        for (time, expected) in [
            (None, None),
            (Some(UNIX_EPOCH), None),
            (Some(UNIX_EPOCH + second), None),
            (Some(UNIX_EPOCH - second / 2), None),
            (Some(UNIX_EPOCH + second / 2), Some(second / 2)),
        ] {
            assert_eq!(clock_time(time), expected, "{time:?}");
        }
    }
}
