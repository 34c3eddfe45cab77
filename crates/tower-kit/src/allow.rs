//! The `Allow` header, as the union of several.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header::ALLOW};
use http_body_util::Full;

use crate::content::set;

/// A set of methods for the `Allow` header (RFC 9110, section 10.2.1): sorted, each method once.
///
/// ```
/// use http::{HeaderMap, HeaderValue, Method, header::ALLOW};
/// use tower_kit::Allow;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(ALLOW, HeaderValue::from_static("PUT, GET"));
/// let mut allow: Allow = [&Method::GET].into_iter().collect();
/// allow.add_headers(&headers);
/// assert_eq!(allow.to_header(), "GET, HEAD, PUT");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Vec<String>);

impl Allow {
    /// Adds a method, and HEAD with GET.
    pub fn add(&mut self, method: &Method) {
        if method == Method::GET {
            self.insert(Method::HEAD.as_str());
        }
        self.insert(method.as_str());
    }

    // A list, since methods are few and the code of a `BTreeSet` is not (`just cost`).
    fn insert(&mut self, method: &str) {
        if let Err(at) = self.0.binary_search_by(|own| (**own).cmp(method)) {
            self.0.insert(at, method.to_owned());
        }
    }

    /// Adds the methods of all lines of `Allow` in these headers. Values that are not a method are
    /// ignored.
    pub fn add_headers(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(ALLOW) {
            self.add_line(line);
        }
    }

    /// Adds the methods of one line of `Allow`. Values that are not a method are ignored.
    pub fn add_line(&mut self, line: &HeaderValue) {
        let methods = line.as_bytes().split(|byte| *byte == b',');
        for method in methods.filter_map(|method| Method::from_bytes(method.trim_ascii()).ok()) {
            self.insert(method.as_str());
        }
    }

    /// Returns the methods as the value of an `Allow` header.
    ///
    /// # Panics
    ///
    /// It never panics: methods are tokens, so a list of them is a valid value.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::try_from(self.0.join(", ")).expect("methods are tokens")
    }

    /// Returns the response to OPTIONS: 204 with these methods (RFC 9110, section 9.3.7).
    #[must_use]
    pub fn options(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        set(response.headers_mut(), ALLOW, self.to_header());
        response
    }
}

impl<'a> FromIterator<&'a Method> for Allow {
    fn from_iter<I: IntoIterator<Item = &'a Method>>(methods: I) -> Self {
        let mut allow = Self::default();
        methods.into_iter().for_each(|method| allow.add(method));
        allow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kit_5_allow_is_the_sorted_union_of_all_lines() {
        let table: [(&[&[u8]], &str); 6] = [
            (&[], "PUT"),
            (&[b"GET"], "GET, PUT"),
            (&[b"POST, GET", b"PUT"], "GET, POST, PUT"),
            (&[b"", b" ,\tLINK ,, ", b","], "LINK, PUT"),
            (&[b"get"], "PUT, get"),
            (&[b"GET, caf\xe9, two words, POST"], "GET, POST, PUT"),
        ];
        for (lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ALLOW, HeaderValue::from_bytes(line).unwrap());
            }
            let mut allow: Allow = [&Method::PUT].into_iter().collect();
            allow.add_headers(&headers);
            assert_eq!(allow.to_header(), expected);
        }
    }

    #[test]
    fn kit_5_head_is_added_with_get() {
        let allow: Allow = [&Method::POST, &Method::GET].into_iter().collect();
        assert_eq!(allow.to_header(), "GET, HEAD, POST");
    }
}
