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

    /// Adds the methods of an `Allow` header that is there already.
    pub(crate) fn add_header(&mut self, headers: &HeaderMap) {
        let values = headers.get_all(ALLOW).into_iter();
        let methods = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|method| !method.is_empty());
        self.0.extend(methods.map(str::to_owned));
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        let methods: Vec<&str> = self.0.iter().map(String::as_str).collect();
        HeaderValue::from_str(&methods.join(", "))
            .expect("methods are tokens, or were in a header before")
    }
}
