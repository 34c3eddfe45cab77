//! The version of a file, from its time or its content.

use std::{
    fs::Metadata,
    io::{self, ErrorKind},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::{
    coding::Coding,
    conditions::Validators,
    file::Opened,
    read::{Wait, read_at},
    tags::{State, Tags},
};

/// The size in bytes of the largest file whose tag is a hash of its content.
const HASHED: u64 = 1 << 20;

/// The number of bytes of a file that are in memory at once, and the size of the largest file that
/// is hashed on the thread of a request.
const CHUNK: u64 = 64 << 10;

/// The beginning of 1990. An earlier modification time was set by a build, because the web is not
/// older.
const WEB: Duration = Duration::from_secs(631_152_000);

/// Returns the validators of a file, which may be read for that.
///
/// An archive or a build has set a time in whole seconds, and other content may have the same: Nix
/// sets 1, npm a day of 1985.
pub(crate) fn validators(
    opened: &Opened,
    tags: &Tags,
    now: SystemTime,
    wait: Wait,
) -> io::Result<Validators> {
    let Opened {
        metadata, coding, ..
    } = opened;
    let modified = metadata.modified().ok();
    let size = metadata.len();
    let by_time = |kind, time: Duration| {
        let mut tag = String::with_capacity(48);
        tag.push_str(kind);
        push_hex(&mut tag, time.as_secs());
        tag.push('.');
        push_hex(&mut tag, time.subsec_nanos().into());
        tag.push('-');
        push_hex(&mut tag, size);
        // Two variants may have one time and one size.
        tag.push_str(coding.map_or("", Coding::suffix));
        tag.push('"');
        tag
    };
    let etag = match clock_time(modified) {
        Some(time) => value(by_time("\"", time)),
        None if size <= HASHED => Some(by_content(opened, tags, now, wait)?),
        // Other machines have other times for the same file, but no other file has this one's.
        None => clock_time(changed(metadata)).and_then(|time| value(by_time("\"c", time))),
    };
    Ok(Validators {
        etag,
        last_modified: modified.and_then(|modified| last_modified(modified, now)),
    })
}

fn value(tag: String) -> Option<HeaderValue> {
    HeaderValue::try_from(tag).ok()
}

/// Appends a number in hexadecimal digits. `format!` takes four times as long.
fn push_hex(text: &mut String, number: u64) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let digit = (number >> (4 * digit) & 0xf) as u32;
        text.extend(char::from_digit(digit, 16));
    }
}

/// Returns the tag of a file's content, which is read unless its tag is known.
fn by_content(
    opened: &Opened,
    tags: &Tags,
    now: SystemTime,
    wait: Wait,
) -> io::Result<HeaderValue> {
    let state = State::settled(&opened.metadata, now);
    if let Some(known) = state.and_then(|state| tags.of(state)) {
        return Ok(known);
    }
    let size = opened.metadata.len();
    if size > CHUNK && wait == Wait::Never {
        return Err(ErrorKind::WouldBlock.into());
    }
    let tag = hash(|start| {
        let length = CHUNK.min(size.saturating_sub(start));
        read_at(&opened.file, start, length, wait)
    })?;
    if let Some(state) = state {
        tags.insert(state, tag.clone());
    }
    Ok(tag)
}

/// Returns the tag of a content. `read` returns the bytes from a position, and none at the end.
fn hash(read: impl Fn(u64) -> io::Result<Bytes>) -> io::Result<HeaderValue> {
    let mut sha256 = Sha256::new();
    let mut start = 0;
    loop {
        let bytes = read(start)?;
        if bytes.is_empty() {
            break;
        }
        sha256.update(&bytes);
        start += bytes.len() as u64;
    }
    let digest = sha256.finalize();
    let digits = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    value(format!("\"{}\"", digits.collect::<String>())).ok_or(ErrorKind::InvalidData.into())
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
pub(crate) fn changed(metadata: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;

    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanos = u32::try_from(metadata.ctime_nsec()).ok()?;
    Some(UNIX_EPOCH + Duration::new(seconds, nanos))
}

#[cfg(not(unix))]
pub(crate) fn changed(_: &Metadata) -> Option<SystemTime> {
    None
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::fs::File;

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
        let by_content = |content: &[u8]| -> io::Result<HeaderValue> {
            let chunk = |start: u64| content.iter().skip(start as usize).take(CHUNK as usize);
            hash(|start| Ok(chunk(start).copied().collect()))
        };
        let content = vec![b'a'; CHUNK as usize + 1];
        let etag = by_content(&content).unwrap();
        assert_eq!((etag.len(), etag.as_bytes()[0]), (34, b'"'));
        for at in [0, content.len() - 1] {
            let mut other = content.clone();
            other[at] = b'b';
            assert_ne!(by_content(&other).unwrap(), etag, "{at}");
        }
        assert_ne!(by_content(&content[1..]).unwrap(), etag);
    }

    #[cfg(unix)]
    #[test]
    fn static_5_a_known_hash_is_not_made_again() {
        let file = File::open("Cargo.toml").unwrap();
        let metadata = file.metadata().unwrap();
        let changed = changed(&metadata).unwrap();
        let opened = Opened {
            file,
            metadata,
            coding: None,
        };
        let tags = Tags::default();
        let tag = |age| {
            let now = changed + Duration::from_secs(age);
            by_content(&opened, &tags, now, Wait::ForDisk).unwrap()
        };
        let first = tag(2);
        let state = State::settled(&opened.metadata, changed + Duration::from_secs(2)).unwrap();
        assert_eq!(tags.of(state), Some(first.clone()));
        tags.insert(state, HeaderValue::from_static("\"known\""));
        assert_eq!(tag(2), "\"known\"");
        // Another change could have the same time.
        assert_eq!(tag(1), first);
    }

    #[test]
    fn static_5_numbers_are_in_hexadecimal() {
        for number in [0, 1, 15, 16, 255, 256, 0x6b0d_3bde, u64::MAX] {
            let mut text = String::new();
            push_hex(&mut text, number);
            assert_eq!(text, format!("{number:x}"));
        }
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
