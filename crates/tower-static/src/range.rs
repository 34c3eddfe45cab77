//! Ranges: the part of a file that a request asks for (RFC 9110, section 14).

use std::ops::Range;

use http::{HeaderMap, header::RANGE};
use tower_kit::entity_tag::only;

/// The part of a file that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selected {
    Whole,
    /// Its bytes in this range, which are at least one.
    Part(Range<u64>),
    /// The file has no such part.
    Nothing,
}

/// Returns the part of a file of this length that `Range` asks for.
///
/// A server may always ignore `Range` (section 14.2). It is ignored here if it has another unit
/// than bytes, if it cannot be read, and if it asks for several parts.
pub(crate) fn selected(headers: &HeaderMap, length: u64) -> Selected {
    let value = only(headers, &RANGE).and_then(|value| value.to_str().ok());
    let selected = value.and_then(|value| select(value, length));
    selected.unwrap_or(Selected::Whole)
}

fn select(value: &str, length: u64) -> Option<Selected> {
    let (unit, set) = value.split_once('=')?;
    // Names of units have no case (section 14.1).
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let members = set
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']));
    let mut selected = None;
    for member in members.filter(|member| !member.is_empty()) {
        selected = match (selected, part(member, length)?) {
            // Parts beyond the end do not count as further parts.
            (None | Some(Selected::Nothing), None) => Some(Selected::Nothing),
            (None | Some(Selected::Nothing), Some(part)) => Some(Selected::Part(part)),
            (selected, None) => selected,
            (_, Some(_)) => Some(Selected::Whole),
        };
    }
    match selected {
        // A suffix of an empty file is all of it, which no `Content-Range` can express.
        Some(Selected::Part(part)) if part.is_empty() => None,
        selected => selected,
    }
}

/// Returns the range, or `None` if it is malformed (section 14.1.2). Within it, `None` stands for a
/// range beyond the end.
fn part(member: &str, length: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = member.split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        let start = length.saturating_sub(suffix);
        return Some((suffix > 0).then_some(start..length));
    }
    let first = number(first)?;
    let last = match last {
        "" => u64::MAX,
        last => number(last)?,
    };
    if last < first {
        return None;
    }
    let end = last.saturating_add(1).min(length);
    Some((first < length).then_some(first..end))
}

/// Reads a number of any length. A number above 64 bits counts as the largest one.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{
        Selected::{Nothing, Part, Whole},
        *,
    };

    #[test]
    fn static_4_a_range_selects_one_part_or_the_whole() {
        let huge = "99999999999999999999999";
        for (value, expected, why) in [
            ("bytes=0-0", Part(0..1), "both ends count"),
            ("bytes=4-6", Part(4..7), "in the middle"),
            ("bytes=4-", Part(4..12), "to the end"),
            ("bytes=-3", Part(9..12), "the last ones"),
            ("bytes=-50", Part(0..12), "a suffix may be too long"),
            ("bytes=0-99", Part(0..12), "an end may be too far"),
            ("bytes=007-08", Part(7..9), "digits"),
            ("BYTES=0-0", Part(0..1), "units have no case"),
            ("bytes= 0-0\t", Part(0..1), "blanks around a member"),
            ("bytes=,0-0, ,", Part(0..1), "empty members"),
            ("bytes=0-0,99-", Part(0..1), "one of two is there"),
            ("bytes=99-,0-0", Part(0..1), "one of two is there"),
            ("bytes=12-", Nothing, "after the end"),
            ("bytes=-0", Nothing, "no bytes"),
            ("bytes=99-,-0", Nothing, "none of two is there"),
            ("bytes=0-0,2-2", Whole, "several"),
            ("bytes=0-0,99-,0-0", Whole, "several"),
            ("bytes=5-2", Whole, "not a range"),
            ("bytes=0-0,5-2", Whole, "not a range"),
            ("bytes=", Whole, "empty"),
            ("bytes=,", Whole, "empty"),
            ("bytes=-", Whole, "no numbers"),
            ("bytes=+1-2", Whole, "a sign"),
            ("bytes=1 - 2", Whole, "blanks within"),
            ("bytes=1", Whole, "no hyphen"),
            ("bytes=1-2-3", Whole, "two hyphens"),
            ("bytes", Whole, "no set"),
            ("bytes =0-0", Whole, "not a unit"),
            ("items=0-0", Whole, "an unknown unit"),
            ("", Whole, "nothing"),
        ] {
            let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(value))]);
            assert_eq!(selected(&headers, 12), expected, "{value}: {why}");
        }
        for (value, expected) in [
            (format!("bytes={huge}-"), Nothing),
            (format!("bytes={huge}-{huge}"), Nothing),
            (format!("bytes=3-{huge}"), Part(3..12)),
            (format!("bytes=-{huge}"), Part(0..12)),
        ] {
            assert_eq!(select(&value, 12), Some(expected), "{value}");
        }
    }

    #[test]
    fn static_4_an_empty_file_has_no_parts() {
        for (value, expected) in [
            ("bytes=0-", Some(Nothing)),
            ("bytes=0-0", Some(Nothing)),
            ("bytes=-0", Some(Nothing)),
            ("bytes=-5", None),
        ] {
            assert_eq!(select(value, 0), expected, "{value}");
        }
    }

    #[test]
    fn static_4_two_lines_are_no_range() {
        let range = (RANGE, HeaderValue::from_static("bytes=0-0"));
        let headers = HeaderMap::from_iter([range.clone(), range]);
        assert_eq!(selected(&headers, 12), Whole);
        assert_eq!(selected(&HeaderMap::new(), 12), Whole);
    }
}
