//! Conditions: whether a request still wants a file of this version (RFC 9110, section 13).

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE},
};
use tower_kit::entity_tag::{EntityTag, members, only};

/// How long another change may have the same date: a second, and one more for inexact clocks.
const SAME_DATE: Duration = Duration::from_secs(2);

/// The headers that distinguish one version of a file from another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Validators {
    /// A strong entity tag.
    pub(crate) etag: Option<HeaderValue>,
    /// In whole seconds.
    pub(crate) last_modified: Option<SystemTime>,
    /// The same as text.
    pub(crate) date: Option<HeaderValue>,
}

impl Validators {
    /// Returns the status that GET and HEAD get instead of the file: 304, 412, or none.
    ///
    /// In the order of section 13.2.2; a date does not count beside entity tags.
    pub(crate) fn status(&self, headers: &HeaderMap) -> Option<StatusCode> {
        let is_as_wanted = match headers.contains_key(IF_MATCH) {
            true => self.is_listed(headers, &IF_MATCH, |own, tag| own.equals_strongly(tag)),
            false => self.is_changed_since(headers, &IF_UNMODIFIED_SINCE) != Some(true),
        };
        if !is_as_wanted {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
        let is_known = match headers.contains_key(IF_NONE_MATCH) {
            true => self.is_listed(headers, &IF_NONE_MATCH, |own, tag| own.equals_weakly(tag)),
            false => self.is_changed_since(headers, &IF_MODIFIED_SINCE) == Some(false),
        };
        is_known.then_some(StatusCode::NOT_MODIFIED)
    }

    /// Returns whether a part of this version fits what the client has (section 13.1.5).
    pub(crate) fn allow_range(&self, headers: &HeaderMap, now: SystemTime) -> bool {
        if !headers.contains_key(IF_RANGE) {
            return true;
        }
        let Some(value) = only(headers, &IF_RANGE) else {
            return false;
        };
        match EntityTag::parse(value.as_bytes()) {
            Some(tag) => self.tag().is_some_and(|own| own.equals_strongly(tag)),
            // A date is exact once no other change can have the same (section 8.8.2.2).
            None => self.last_modified.is_some_and(|date| {
                let is_old = now.duration_since(date).is_ok_and(|age| age >= SAME_DATE);
                is_old && read_date(value) == Some(date)
            }),
        }
    }

    fn tag(&self) -> Option<EntityTag<'_>> {
        let etag = self.etag.as_ref()?;
        EntityTag::parse(etag.as_bytes())
    }

    /// Returns whether the list has this version. `*` is any version.
    fn is_listed(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        equals: fn(EntityTag<'_>, EntityTag<'_>) -> bool,
    ) -> bool {
        members(headers, name).any(|member| {
            let both = self.tag().zip(EntityTag::parse(member));
            member == b"*" || both.is_some_and(|(own, tag)| equals(own, tag))
        })
    }

    /// Returns whether the file is newer than the date. `None` if one of the dates is missing or
    /// malformed.
    fn is_changed_since(&self, headers: &HeaderMap, name: &HeaderName) -> Option<bool> {
        let date = only(headers, name).and_then(read_date)?;
        Some(self.last_modified? > date)
    }
}

/// Reads each of the three forms that a date may have.
fn read_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 13 Sep 2020 12:26:40 GMT";
    const EARLIER: &str = "Sun, 13 Sep 2020 12:26:39 GMT";
    const LATER: &str = "Sun, 13 Sep 2020 12:26:41 GMT";

    fn date() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
    }

    fn validators() -> Validators {
        Validators {
            etag: Some(HeaderValue::from_static("\"a\"")),
            last_modified: Some(date()),
            date: None,
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |&(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn static_3_conditions_that_fail_are_304_or_412() {
        const MATCH: &str = "if-match";
        const NONE: &str = "if-none-match";
        const SINCE: &str = "if-modified-since";
        const UNMODIFIED: &str = "if-unmodified-since";
        // The status with both validators, and without any.
        let table: [(&[(&str, &str)], [u16; 2], &str); 28] = [
            (&[], [0, 0], "no condition"),
            (&[(MATCH, "\"a\"")], [0, 412], "this version"),
            (&[(MATCH, "\"b\"")], [412, 412], "another one"),
            (&[(MATCH, "W/\"a\"")], [412, 412], "strongly"),
            (&[(MATCH, "*")], [0, 0], "any"),
            (&[(MATCH, "a")], [412, 412], "a tag has quotes"),
            (&[(MATCH, "")], [412, 412], "none"),
            (&[(MATCH, "\"b\""), (MATCH, "\"a\"")], [0, 412], "one list"),
            (&[(UNMODIFIED, DATE)], [0, 0], "it is not"),
            (&[(UNMODIFIED, EARLIER)], [412, 0], "it is"),
            (&[(UNMODIFIED, LATER)], [0, 0], "it is not"),
            (&[(UNMODIFIED, "x")], [0, 0], "no date"),
            (
                &[(MATCH, "\"a\""), (UNMODIFIED, EARLIER)],
                [0, 412],
                "the tag",
            ),
            (&[(NONE, "\"a\"")], [304, 0], "this version"),
            (&[(NONE, "W/\"a\"")], [304, 0], "weakly"),
            (&[(NONE, "\"b\"")], [0, 0], "another one"),
            (&[(NONE, "*")], [304, 304], "any"),
            (&[(NONE, "a")], [0, 0], "a tag has quotes"),
            (&[(NONE, "\"b\""), (NONE, "\"a\"")], [304, 0], "one list"),
            (&[(NONE, "\"b\""), (SINCE, DATE)], [0, 0], "the tag"),
            (&[(SINCE, DATE)], [304, 0], "not after"),
            (&[(SINCE, LATER)], [304, 0], "not after"),
            (&[(SINCE, EARLIER)], [0, 0], "after"),
            (
                &[(SINCE, "Wed, 01 Jan 2098 00:00:00 GMT")],
                [304, 0],
                "the future",
            ),
            (&[(SINCE, "Sun Sep 13 12:26:40 2020")], [304, 0], "asctime"),
            (
                &[(SINCE, "Sun, 13 Sep 2020 12:26:40 GMT; length=1")],
                [0, 0],
                "no date",
            ),
            (&[(SINCE, DATE), (SINCE, DATE)], [0, 0], "two are none"),
            (&[(MATCH, "\"b\""), (NONE, "\"a\"")], [412, 412], "in order"),
        ];
        for (lines, expected, why) in table {
            let headers = headers(lines);
            let status = |of: Validators| of.status(&headers).map_or(0, |status| status.as_u16());
            let found = [status(validators()), status(Validators::default())];
            assert_eq!(found, expected, "{lines:?}: {why}");
        }
    }

    #[test]
    fn static_4_a_part_is_of_the_version_that_the_client_has() {
        const RANGE: &str = "if-range";
        let old = date() + SAME_DATE;
        let table: [(&[(&str, &str)], bool, &str); 12] = [
            (&[], true, "no condition"),
            (&[(RANGE, "\"a\"")], true, "this version"),
            (&[(RANGE, "\"b\"")], false, "another one"),
            (&[(RANGE, "W/\"a\"")], false, "strongly"),
            (&[(RANGE, "a")], false, "neither tag nor date"),
            (&[(RANGE, "*")], false, "neither tag nor date"),
            (&[(RANGE, "")], false, "neither tag nor date"),
            (&[(RANGE, "\"a\", \"b\"")], false, "no list"),
            (&[(RANGE, "\"a\""), (RANGE, "\"a\"")], false, "no list"),
            (&[(RANGE, DATE)], true, "this date"),
            (&[(RANGE, EARLIER)], false, "another one"),
            (&[(RANGE, LATER)], false, "for equality"),
        ];
        for (lines, expected, why) in table {
            let headers = headers(lines);
            assert_eq!(
                validators().allow_range(&headers, old),
                expected,
                "{lines:?}: {why}"
            );
            let without = Validators::default().allow_range(&headers, old);
            assert_eq!(without, lines.is_empty(), "{lines:?}");
        }
        let by_date = headers(&[(RANGE, DATE)]);
        for age in [Duration::ZERO, Duration::from_millis(1999)] {
            assert!(!validators().allow_range(&by_date, date() + age), "{age:?}");
        }
    }
}
