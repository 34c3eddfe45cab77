//! The version of a file, from its time or its content.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use crate::{coding::Coding, conditions::Validators, memory::Version};

/// The size in bytes of the largest file whose tag is a hash of its content.
const HASHED: u64 = 1 << 20;

/// The number of bytes that are hashed at once, and the size in bytes of the largest file that is
/// hashed on the thread of a request.
pub(crate) const CHUNK: u64 = 64 << 10;

/// The beginning of 1990. An earlier modification time was set by a build, because the web is not
/// older.
const WEB: Duration = Duration::from_secs(631_152_000);

/// Returns the validators of a file. `read` returns at most so many bytes of it from a position,
/// and none at the end.
///
/// An archive or a build has set a time in whole seconds, and other content may have the same: Nix
/// sets 1, npm a day of 1985. Then the tag is a hash of the content.
pub(crate) fn validators<E>(
    version: &Version,
    now: SystemTime,
    read: impl FnMut(u64, u64) -> Result<Bytes, E>,
) -> Result<Validators, E> {
    let Version { facts, coding } = version;
    let by_time = |kind, time: Duration| {
        let mut tag = String::with_capacity(48);
        tag.push_str(kind);
        push_hex(&mut tag, time.as_secs());
        tag.push('.');
        push_hex(&mut tag, time.subsec_nanos().into());
        tag.push('-');
        push_hex(&mut tag, facts.size);
        // Two variants may have one time and one size.
        tag.push_str(coding.map_or("", Coding::suffix));
        tag.push('"');
        tag
    };
    let etag = match clock_time(facts.modified) {
        Some(time) => Some(by_time("\"", time)),
        None if facts.size <= HASHED => Some(by_content(facts.size, read)?),
        // Other machines have other times for the same file, but no other file has this one's.
        None => clock_time(facts.changed).map(|time| by_time("\"c", time)),
    };
    let modified = facts.modified;
    let last_modified = modified.and_then(|modified| last_modified(modified, now));
    let value = |text: String| HeaderValue::try_from(text).ok();
    Ok(Validators {
        etag: etag.and_then(value),
        last_modified,
        date: last_modified.and_then(|date| value(httpdate::fmt_http_date(date))),
    })
}

/// Appends a number in hexadecimal digits. `format!` takes four times as long.
fn push_hex(text: &mut String, number: u64) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        let digit = (number >> (4 * digit) & 0xf) as u32;
        text.extend(char::from_digit(digit, 16));
    }
}

/// Returns the tag of a content.
fn by_content<E>(
    size: u64,
    mut read: impl FnMut(u64, u64) -> Result<Bytes, E>,
) -> Result<String, E> {
    let mut sha256 = Sha256::new();
    let mut start = 0;
    loop {
        let bytes = read(start, CHUNK.min(size.saturating_sub(start)))?;
        if bytes.is_empty() {
            break;
        }
        sha256.update(&bytes);
        start += bytes.len() as u64;
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

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
        let by_content = |content: &[u8]| {
            let chunk = |start: u64, length: u64| {
                let chunk = content.iter().skip(start as usize).take(length as usize);
                Ok::<Bytes, Infallible>(chunk.copied().collect())
            };
            by_content(content.len() as u64, chunk).unwrap()
        };
        let content = vec![b'a'; CHUNK as usize + 1];
        let etag = by_content(&content);
        assert_eq!((etag.len(), etag.as_bytes()[0]), (34, b'"'));
        for at in [0, content.len() - 1] {
            let mut other = content.clone();
            other[at] = b'b';
            assert_ne!(by_content(&other), etag, "{at}");
        }
        assert_ne!(by_content(&content[1..]), etag);
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
