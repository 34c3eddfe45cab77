use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method, header::ALLOW};

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
pub struct Allow(BTreeSet<String>);

impl Allow {
    /// Adds a method, and HEAD with GET.
    pub fn add(&mut self, method: &Method) {
        if method == Method::GET {
            self.0.insert(Method::HEAD.to_string());
        }
        self.0.insert(method.to_string());
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
        let methods = methods.filter_map(|method| Method::from_bytes(method.trim_ascii()).ok());
        self.0.extend(methods.map(|method| method.to_string()));
    }

    /// Returns the methods as the value of an `Allow` header.
    ///
    /// # Panics
    ///
    /// It never panics: methods are tokens, so a list of them is a valid value.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        let methods: Vec<&str> = self.0.iter().map(String::as_str).collect();
        HeaderValue::from_str(&methods.join(", ")).expect("methods are tokens")
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
