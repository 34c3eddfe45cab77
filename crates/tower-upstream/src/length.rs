//! The length of a request's body, and how it is stated.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;
use tower_kit::content::content_length;

use crate::fields::Fields;

/// The length of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// There is no body, and the head does not state that.
    Empty,
    Known(u64),
    Unknown,
}

impl Length {
    /// Returns the length of a body below a head with these fields. The body counts before the
    /// head, because a layer may have changed it. A request without a body has no chunks either.
    pub(crate) fn of<B: Body>(
        method: &Method,
        headers: &HeaderMap,
        fields: Fields,
        body: &B,
    ) -> Self {
        if body.is_end_stream() {
            // RFC 9110, section 8.6: where a body is usual, its absence is stated.
            let is_usual = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
            return match is_usual || fields.have(Fields::CONTENT_LENGTH) {
                true => Self::Known(0),
                false => Self::Empty,
            };
        }
        let length = body.size_hint().exact();
        match length.or_else(|| content_length(headers)) {
            Some(length) => Self::Known(length),
            None => Self::Unknown,
        }
    }

    /// States the length in a head that states none.
    pub(crate) fn set(self, headers: &mut HeaderMap) {
        match self {
            Self::Empty => {}
            Self::Known(length) => {
                headers.insert(CONTENT_LENGTH, length.into());
            }
            Self::Unknown => {
                // Otherwise hyper takes a GET for one without a body, and drops the body.
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};

    use super::*;

    fn lengths(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_LENGTH, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn upstream_7_the_length_is_the_bodys() {
        let stream = || {
            StreamBody::new(futures_util::stream::empty::<
                Result<_, std::convert::Infallible>,
            >())
        };
        let ten = lengths(&["10"]);
        let twice = lengths(&["10", "10"]);
        let two = lengths(&["10", "11"]);
        let signed = lengths(&["+10"]);
        let none = HeaderMap::new();
        let empty = || Empty::<Bytes>::new().boxed();
        let five = || Full::new(Bytes::from("12345")).boxed();
        let unknown = || stream().boxed();
        for (method, headers, body, length) in [
            (Method::GET, &none, empty(), Length::Empty),
            (Method::GET, &ten, empty(), Length::Known(0)),
            (Method::POST, &none, empty(), Length::Known(0)),
            (Method::DELETE, &none, empty(), Length::Empty),
            (Method::POST, &ten, five(), Length::Known(5)),
            (Method::GET, &none, five(), Length::Known(5)),
            (Method::GET, &none, unknown(), Length::Unknown),
            (Method::POST, &none, unknown(), Length::Unknown),
            (Method::POST, &ten, unknown(), Length::Known(10)),
            (Method::POST, &twice, unknown(), Length::Known(10)),
            (Method::POST, &two, unknown(), Length::Unknown),
            (Method::POST, &signed, unknown(), Length::Unknown),
        ] {
            assert_eq!(
                Length::of(&method, headers, Fields::of(headers), &body),
                length,
                "{method} {headers:?}"
            );
        }
    }
}
