//! The media type that a client prefers (RFC 9110, section 12.5.1).

use std::borrow::Cow;

use http::HeaderValue;
use mediatype::{MediaType, Name, ReadParams, names::Q};

/// Returns the index of the best offer: the one with the highest quality, then the one that the
/// client names most exactly, then the first. Offers are media types without wildcards.
///
/// All lines of the header are one list, so pass `headers.get_all(ACCEPT)`, or an `Option` of the
/// only line. Without a line, all offers are equal. Returns `None` if no offer is acceptable.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::ACCEPT};
/// use tower_kit::accept::best;
///
/// let mut headers = HeaderMap::new();
/// headers.append(ACCEPT, HeaderValue::from_static("text/plain;q=0.5"));
/// headers.append(ACCEPT, HeaderValue::from_static("text/html"));
/// let offers = ["text/plain", "text/html"];
/// assert_eq!(best(headers.get_all(ACCEPT), &offers), Some(1));
/// assert_eq!(best(None, &offers), Some(0));
/// ```
pub fn best<'a>(
    accept: impl IntoIterator<Item = &'a HeaderValue>,
    offers: &[&str],
) -> Option<usize> {
    let mut lines = accept.into_iter().peekable();
    if lines.peek().is_none() {
        return (!offers.is_empty()).then_some(0);
    }
    let mut ranked: Vec<_> = offers.iter().map(|offer| (*offer, None)).collect();
    for line in lines {
        for member in members(line.to_str().unwrap_or_default()) {
            rank(member, &mut ranked);
        }
    }
    let ranks = ranked.iter().enumerate();
    let acceptable = ranks.filter_map(|(at, (_, rank))| rank.map(|rank| (at, rank)));
    let mut best: Option<(usize, Rank)> = None;
    for (at, rank) in acceptable.filter(|(_, rank)| rank.quality > 0) {
        if best.is_none_or(|(_, before)| rank.beats(before)) {
            best = Some((at, rank));
        }
    }
    best.map(|(at, _)| at)
}

/// Ranks the offers by one member of the list. A member is parsed only if a look at its name does
/// not decide: parsing is slow, and many requests are rejected by a layer and served by the next.
fn rank(member: &str, ranked: &mut [(&str, Option<Rank>)]) {
    let (name, parameters) = member.split_once(';').unwrap_or((member, "q=1"));
    let name = name.trim_end();
    // An offer has this name, and perhaps parameters.
    let is_offered = |(offer, _): &(&str, _)| {
        let start = offer.get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name))
            && matches!(offer.as_bytes().get(name.len()), None | Some(b';' | b' '))
    };
    if !name.contains('*') && !ranked.iter().any(is_offered) {
        return;
    }
    let weight = parameters.trim_start().strip_prefix("q=");
    if let Some(quality) = weight.and_then(quality)
        && let Some(name) = PlainName::of(name)
    {
        for (offer, rank) in ranked {
            if let Some(exact) = name.exactness_for(offer) {
                let exactness = (exact, 0);
                *rank = Some(Rank { quality, exactness }.or_before(*rank));
            }
        }
        return;
    }
    let member = without_empty_parameters(member);
    let Some(range) = Range::parse(&member) else {
        return;
    };
    for (offer, rank) in ranked {
        if MediaType::parse(offer).is_ok_and(|offer| range.matches(&offer)) {
            *rank = Some(range.rank().or_before(*rank));
        }
    }
}

/// A range without parameters, not parsed.
enum PlainName<'a> {
    Any,
    Type(&'a str),
    Exact(&'a str),
}

impl<'a> PlainName<'a> {
    fn of(name: &'a str) -> Option<Self> {
        match name.strip_suffix("/*") {
            Some("*") => Some(Self::Any),
            Some(ty) => (!ty.contains('*')).then_some(Self::Type(ty)),
            None => (!name.contains('*')).then_some(Self::Exact(name)),
        }
    }

    /// Returns the specificity of the range (0 for `*/*`, 1 for `type/*`, 2 for an exact type), or
    /// `None` if the offer does not match.
    fn exactness_for(&self, offer: &str) -> Option<u8> {
        let is = |text: &str, name: &str| text.eq_ignore_ascii_case(name);
        match self {
            Self::Any => Some(0),
            Self::Type(ty) => offer
                .split_once('/')
                .is_some_and(|(own, _)| is(own, ty))
                .then_some(1),
            Self::Exact(name) => is(offer, name).then_some(2),
        }
    }
}

/// A weight, in billionths. It is no float, because the parser of these has tables of 10 KB (`just
/// cost`).
type Quality = u32;

const MOST: Quality = 1_000_000_000;

/// The rank of an offer for a client, by one of its ranges.
#[derive(Clone, Copy)]
struct Rank {
    quality: Quality,
    exactness: (u8, usize),
}

impl Rank {
    /// Returns the one that decides about an offer: the most exact, and of several the highest.
    fn or_before(self, before: Option<Self>) -> Self {
        let order = |rank: Self| (rank.exactness, rank.quality);
        match before {
            Some(before) if order(before) > order(self) => before,
            _ => self,
        }
    }

    fn beats(self, other: Self) -> bool {
        (self.quality, self.exactness) > (other.quality, other.exactness)
    }
}

struct Range<'a> {
    media_type: MediaType<'a>,
    quality: Quality,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // Some leave the weight out.
        let media_type = MediaType::parse(text.strip_suffix(";q=").unwrap_or(text)).ok()?;
        let any = |name: Name<'_>| name == "*";
        if media_type.suffix.is_some_and(any) || any(media_type.ty) && !any(media_type.subty) {
            return None;
        }
        let quality = match media_type.get_param(Q) {
            None => MOST,
            Some(quality) => self::quality(&quality.unquoted_str())?,
        };
        Some(Self {
            media_type,
            quality,
        })
    }

    fn matches(&self, offer: &MediaType<'_>) -> bool {
        let range = &self.media_type;
        if range.ty == "*" {
            return true;
        }
        if range.ty != offer.ty {
            return false;
        }
        let same = |a: &MediaType<'_>, b: &MediaType<'_>| {
            a.params()
                .filter(|(name, _)| *name != Q)
                .all(|(name, value)| {
                    b.get_param(name).is_some_and(|other| {
                        other
                            .unquoted_str()
                            .eq_ignore_ascii_case(&value.unquoted_str())
                    })
                })
        };
        range.subty == "*"
            || range.subty == offer.subty
                && range.suffix == offer.suffix
                && same(range, offer)
                && same(offer, range)
    }

    /// The exactness counts first the names that are not wildcards, and then parameters.
    fn rank(&self) -> Rank {
        let exact = u8::from(self.media_type.ty != "*") + u8::from(self.media_type.subty != "*");
        let params = self
            .media_type
            .params()
            .filter(|(name, _)| *name != Q)
            .count();
        Rank {
            quality: self.quality,
            exactness: (exact, params),
        }
    }
}

/// Returns a weight from 0 to 1, which has digits before and after a point if it has one. More than
/// three digits are too exact, and do no harm.
fn quality(text: &str) -> Option<Quality> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => 0,
        "1" => 1,
        _ => return None,
    };
    let billionths = part.bytes().chain([b'0'; 9]).take(9);
    let quality = billionths.fold(whole, |quality, digit| {
        quality * 10 + Quality::from(digit - b'0')
    });
    (quality <= MOST).then_some(quality)
}

/// Returns the members of a list. A comma within quotes is part of a member.
pub(crate) fn members(list: &str) -> impl Iterator<Item = &str> {
    split(list, ',').filter(|member| !member.is_empty())
}

/// Returns the parts between separators that are not within quotes, without the white space around
/// them.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let has_quotes = text.contains('"');
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |c| {
        match c {
            _ if !has_quotes => {}
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == separator && !quoted
    });
    parts.map(str::trim)
}

/// Returns a list without the parameters that are empty, which are legal (RFC 9110, section 5.6.6).
fn without_empty_parameters(list: &str) -> Cow<'_, str> {
    if !may_have_empty_parameters(list) {
        return list.into();
    }
    let members = members(list).map(|member| {
        let mut parts = split(member, ';');
        // An empty type is not a parameter.
        let media_type = parts.next().unwrap_or_default();
        parts
            .filter(|part| !part.is_empty())
            .fold(media_type.to_owned(), |member, part| {
                format!("{member};{part}")
            })
    });
    members.collect::<Vec<_>>().join(",").into()
}

/// Returns whether a semicolon has nothing before the next separator. It may be within quotes.
fn may_have_empty_parameters(list: &str) -> bool {
    let mut is_empty = false;
    for byte in list.bytes() {
        match byte {
            b';' | b',' if is_empty => return true,
            b' ' | b'\t' => {}
            _ => is_empty = byte == b';',
        }
    }
    is_empty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kit_6_the_best_is_the_offer_that_the_client_prefers() {
        const OFFERS: [&str; 3] = ["text/plain", "text/html", "application/json"];
        let table = [
            ("*/*", Some(0)),
            ("text/html, text/plain", Some(0)),
            ("text/html, text/plain;q=0.9", Some(1)),
            // Of equal weights the more exact range wins. The most exact range decides about an
            // offer.
            ("*/*, application/json", Some(2)),
            ("text/*, application/json;q=0.9", Some(0)),
            ("text/plain;q=0, */*", Some(1)),
            ("text/*;q=0.9, text/plain;q=0.1", Some(1)),
            (
                "text/html;q=0.3, text/html;q=0.7, text/plain;q=0.5",
                Some(1),
            ),
            ("text/plain;q=0", None),
            ("image/png", None),
            ("", None),
            ("text/plain;q=0.5, text/html;q=0.50000001", Some(1)),
            ("text/plain;q=0001.000000000000, text/html", Some(0)),
            ("text/plain;q=1.001, text/html;q=0.001", Some(1)),
            // White space around a semicolon, and a weight in upper case.
            ("text/html ;\tq=0.4, text/plain;q=0.5", Some(0)),
            ("TEXT/HTML; Q=0.4, text/plain;q=0.5", Some(0)),
            ("text/html ; Q=0.6, text/plain;q=0.5", Some(1)),
            // A parameter besides the weight.
            ("text/html;q=0.9;level=1, text/plain;q=0.5", Some(0)),
            ("te*/html, text/ht*, application/*;q=0.1", Some(2)),
            // Not a range, not a weight.
            ("*/html, text", None),
            (
                "text/plain;q=1., text/html;q=.5, application/json;q=0.1",
                Some(2),
            ),
            ("text/plain;q=2, text/html;q=x, application/json", Some(2)),
            // A comma within quotes ends nothing, nor does an escaped quote.
            (
                "text/plain;a=\"x, text/html, \\\", application/json\"",
                None,
            ),
            ("text/plain;a=\"x\\\", text/html, \"", None),
            ("text/plain;a=x\\\", text/html, application/json", None),
            ("text/plain;a=\"x\\\\\", text/html", Some(1)),
            // A type is more exact than none.
            ("*/*, text/*;q=0.5", Some(2)),
            ("text/*;q=0.5, */*", Some(2)),
            ("text/plain;a=x\\, text/html", Some(1)),
            // Parameters may be empty (RFC 9110, section 5.6.6).
            ("text/html;;q=0.9, text/plain;q=0.5", Some(1)),
            ("text/html;, text/plain;q=0.5", Some(1)),
            ("text/html; ;\t; q=0.4 ;;, text/plain;q=0.5", Some(0)),
            (";text/html", None),
            (";;", None),
            ("text/plain;a=\"x;;y\";;, text/html", Some(1)),
        ];
        for (accept, expected) in table {
            let accept = HeaderValue::from_str(accept).unwrap();
            assert_eq!(best(Some(&accept), &OFFERS), expected, "{accept:?}");
        }
        let quoted = HeaderValue::from_static("text/plain;;a=\"x;;, y\";");
        let offers = ["text/plain;a=\"x;, y\"", "text/plain;a=\"x;;, y\""];
        assert_eq!(best(Some(&quoted), &offers), Some(1));
        assert_eq!(best(None, &OFFERS), Some(0));
        assert_eq!(best(None, &[]), None);
        // All lines are one list. A quote ends with its line, and bytes that are not text are no
        // member.
        let lines = [
            "text/plain;q=0.5",
            "text/html;a=\"",
            "application/json;q=0.7",
        ];
        let mut lines = lines.map(HeaderValue::from_static).to_vec();
        assert_eq!(best(&lines, &OFFERS), Some(2));
        lines.push(HeaderValue::from_bytes(b"text/html\xff").unwrap());
        lines.push(HeaderValue::from_static("text/html;q=0.8"));
        assert_eq!(best(&lines, &OFFERS), Some(1));
        assert_eq!(best(&lines[..0], &OFFERS), Some(0));
        let level = HeaderValue::from_static("text/html;level=1, text/html;q=0.5");
        assert_eq!(
            best(Some(&level), &["text/html", "text/html;level=1"]),
            Some(1)
        );
        // A weight is no parameter that makes a range more exact.
        let weight = HeaderValue::from_static("text/html;q=1.0, text/plain");
        assert_eq!(best(Some(&weight), &OFFERS), Some(0));
    }
}
