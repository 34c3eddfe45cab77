//! The `Allow` header (RFC 9110, section 10.2.1).

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method, header::ALLOW};

/// The methods of all routes that match a path, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allow(BTreeSet<String>);

impl<'a> FromIterator<&'a Method> for Allow {
    fn from_iter<I: IntoIterator<Item = &'a Method>>(methods: I) -> Self {
        let mut allow = Self::default();
        methods.into_iter().for_each(|method| allow.add(method));
        allow
    }
}

impl Allow {
    /// Adds a method, and HEAD with GET.
    pub(crate) fn add(&mut self, method: &Method) {
        if method == Method::GET {
            self.0.insert(Method::HEAD.to_string());
        }
        self.0.insert(method.to_string());
    }

    /// Adds the methods of all lines of an existing `Allow` header. Words that are no method are
    /// left out.
    pub(crate) fn add_header(&mut self, headers: &HeaderMap) {
        let lines = headers.get_all(ALLOW).into_iter();
        let methods = lines
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .filter_map(|method| Method::from_bytes(method.trim_ascii()).ok());
        self.0.extend(methods.map(|method| method.to_string()));
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        let methods: Vec<&str> = self.0.iter().map(String::as_str).collect();
        HeaderValue::from_str(&methods.join(", ")).expect("methods are tokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatch_8_allow_is_a_list_in_any_number_of_lines() {
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
            allow.add_header(&headers);
            assert_eq!(allow.to_header(), expected);
        }
    }
}
