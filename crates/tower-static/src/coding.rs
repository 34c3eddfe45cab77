//! Codings: which compressed files a client takes (RFC 9110, section 12.5.3).

use http::{HeaderMap, header::ACCEPT_ENCODING};
use tower_kit::entity_tag::members;

/// A coding of files that are compressed before they are served.
///
/// ```
/// use tower_static::{Coding, Files};
///
/// let files = Files::new("/srv/www").precompressed([Coding::Brotli, Coding::Gzip]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// `br`, in files whose name ends in `.br`.
    Brotli,
    /// `zstd`, in files whose name ends in `.zst`.
    Zstd,
    /// `gzip`, in files whose name ends in `.gz`.
    Gzip,
}

impl Coding {
    /// Returns its name in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// Returns what is appended to the name of a file.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }

    fn is_called(self, name: &[u8]) -> bool {
        // A recipient takes `x-gzip` for `gzip` (section 8.4.1.3).
        let is_old_gzip = self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip");
        name.eq_ignore_ascii_case(self.name().as_bytes()) || is_old_gzip
    }
}

/// Returns the offers that the client prefers to the plain file, best first: by their weight, and
/// among equals in the order of the offers.
///
/// Only what the client names is taken. The plain file is always right, also for `*`.
pub(crate) fn preferred(headers: &HeaderMap, offers: &[Coding]) -> Vec<Coding> {
    let weight_of = |is_called: &dyn Fn(&[u8]) -> bool| {
        let list = members(headers, &ACCEPT_ENCODING).filter_map(|member| {
            let (name, parameters) = match member.iter().position(|&byte| byte == b';') {
                Some(at) => member.split_at(at),
                None => (member, &[][..]),
            };
            is_called(name.trim_ascii()).then(|| weight(parameters))
        });
        list.max()
    };
    if !headers.contains_key(ACCEPT_ENCODING) {
        return Vec::new();
    }
    let plain = weight_of(&|name| name.eq_ignore_ascii_case(b"identity")).unwrap_or(0);
    let weights = offers.iter().filter_map(|&coding| {
        let weight = weight_of(&|name| coding.is_called(name))?;
        (weight > 0 && weight >= plain).then_some((weight, coding))
    });
    let mut weights: Vec<_> = weights.collect();
    weights.sort_by_key(|&(weight, _)| std::cmp::Reverse(weight));
    weights.into_iter().map(|(_, coding)| coding).collect()
}

/// Returns a weight in thousandths. A malformed one is 0, since the plain file is always right.
fn weight(parameters: &[u8]) -> u16 {
    let parameters = parameters.split(|&byte| byte == b';');
    let mut parameters = parameters.map(<[u8]>::trim_ascii);
    let value = parameters.find_map(|parameter| match parameter {
        [b'q' | b'Q', b'=', value @ ..] => Some(value),
        _ => None,
    });
    let Some(value) = value else {
        return 1000;
    };
    let (whole, part) = match value {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', part @ ..] => (whole, part),
        _ => return 0,
    };
    if part.len() > 3 || !part.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let digits = part.iter().chain(b"000").take(3);
    let thousandths = digits.fold(u16::from(whole - b'0'), |number, digit| {
        number * 10 + u16::from(digit - b'0')
    });
    if thousandths > 1000 { 0 } else { thousandths }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::{
        Coding::{Brotli, Gzip, Zstd},
        *,
    };

    #[test]
    fn static_13_the_client_decides_by_weight_then_the_order() {
        let table: [(&[&str], &[Coding], &str); 22] = [
            (&[], &[], "no field"),
            (&[""], &[], "an empty field"),
            (&["gzip"], &[Gzip], "one"),
            (
                &["gzip, deflate, br, zstd"],
                &[Brotli, Zstd, Gzip],
                "own order",
            ),
            (&["gzip", "br"], &[Brotli, Gzip], "two lines are one list"),
            (&["br;q=0.5, gzip"], &[Gzip, Brotli], "by weight"),
            (
                &["br;q=0.501, gzip;q=0.5"],
                &[Brotli, Gzip],
                "in thousandths",
            ),
            (&["GZIP"], &[Gzip], "names have no case"),
            (&["x-gzip"], &[Gzip], "an old name"),
            (&["x-br"], &[], "no name"),
            (&["gzip;q=0"], &[], "0 is a no"),
            (&["gzip;q=0.000"], &[], "0 is a no"),
            (&["gzip ; Q=0.1"], &[Gzip], "white space and a capital"),
            (&["gzip;q=1.000"], &[Gzip], "1"),
            (&["gzip;q=2"], &[], "malformed"),
            (&["gzip;q=1.001"], &[], "malformed"),
            (&["gzip;q=.5"], &[], "malformed"),
            (&["gzip;q="], &[], "malformed"),
            (&["*"], &[], "only what is named"),
            (&["identity, gzip;q=0.5"], &[], "rather the plain file"),
            (&["identity;q=0.5, gzip;q=0.5"], &[Gzip], "as good"),
            (&["identity;q=0"], &[], "the plain file is always right"),
        ];
        for (lines, expected, why) in table {
            let lines = lines.iter().map(|line| HeaderValue::from_static(line));
            let headers = lines.map(|line| (ACCEPT_ENCODING, line)).collect();
            let found = preferred(&headers, &[Brotli, Zstd, Gzip]);
            assert_eq!(found, expected, "{headers:?}: {why}");
        }
    }
}
