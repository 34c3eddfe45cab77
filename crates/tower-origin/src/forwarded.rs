//! The grammar of the `Forwarded` header ([RFC 7239, section
//! 4](https://www.rfc-editor.org/rfc/rfc7239#section-4)).
//!
//! It also allows deviations of real proxies that do not change where elements and values end:
//!
//! - white space around semicolons
//! - a `:`, `[` or `]` without quotes
//! - an IPv6 address without brackets
//! - an empty value
//!
//! A client may write the start of the header, to which a trusted proxy appends. A malformed header
//! is an error as a whole. Otherwise a quote that the client leaves open could hide the element of
//! the proxy.

use std::borrow::Cow;

use crate::node::Node;

/// The report of one proxy about the request that it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) node: Option<Node>,
    pub(crate) host: Option<Box<str>>,
    pub(crate) proto: Option<Box<str>>,
}

/// The position of an error in bytes, and its message.
pub(crate) type ParseError = (usize, &'static str);

/// Reads the elements of one header line, the first proxy's first.
pub(crate) fn parse(line: &str) -> Result<Vec<Element>, ParseError> {
    let mut parser = Parser { line, at: 0 };
    let mut elements = Vec::new();
    loop {
        parser.white_space();
        elements.extend(parser.element()?);
        if !parser.eat(',') {
            break;
        }
    }
    match parser.rest() {
        "" => Ok(elements),
        _ => Err((parser.at, "expected `,`, `;` or the end")),
    }
}

struct Parser<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.at += usize::from(found);
        found
    }

    fn white_space(&mut self) {
        self.at = self.line.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Reads pairs that are separated by semicolons. A pair may be missing. Returns `None` if all
    /// are.
    fn element(&mut self) -> Result<Option<Element>, ParseError> {
        let mut element = Element::default();
        let (mut some, mut seen) = (false, [false; 3]);
        loop {
            self.white_space();
            let start = self.at;
            let name = self.while_is(is_token);
            if !name.is_empty() {
                some = true;
                // Other parameters are not used.
                let known = ["for", "host", "proto"];
                let known = known
                    .iter()
                    .position(|known| name.eq_ignore_ascii_case(known));
                if known.is_some_and(|known| std::mem::replace(&mut seen[known], true)) {
                    return Err((start, "a duplicate parameter"));
                }
                if !self.eat('=') {
                    return Err((self.at, "expected `=` after the parameter's name"));
                }
                let start = self.at;
                let value = self.value()?;
                match known {
                    Some(0) => {
                        let node = Node::parse(&value);
                        let expected =
                            "expected an address, `unknown` or `_name`; IPv6 in brackets";
                        element.node = Some(node.ok_or((start, expected))?);
                    }
                    Some(1) => element.host = Some(value.into()),
                    Some(_) => element.proto = Some(value.into()),
                    None => {}
                }
            }
            self.white_space();
            if !self.eat(';') {
                return Ok(some.then_some(element));
            }
        }
    }

    fn value(&mut self) -> Result<Cow<'a, str>, ParseError> {
        if self.eat('"') {
            return self.quoted().map(Cow::Owned);
        }
        let unquoted = |c| is_token(c) || ":[]".contains(c);
        Ok(Cow::Borrowed(self.while_is(unquoted)))
    }

    fn while_is(&mut self, legal: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !legal(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Reads the text after a quote, up to the next quote without a backslash before it.
    fn quoted(&mut self) -> Result<String, ParseError> {
        let open = self.at - 1;
        let mut text = String::new();
        let mut escaped = false;
        for c in self.rest().chars() {
            self.at += c.len_utf8();
            match c {
                _ if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => return Ok(text),
                _ => text.push(c),
            }
        }
        Err((open, "a quote that is not closed"))
    }
}

/// Returns whether a character may be in a token (RFC 9110, section 5.6.2).
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(node: &str, host: Option<&str>, proto: Option<&str>) -> Element {
        Element {
            node: Node::parse(node),
            host: host.map(Into::into),
            proto: proto.map(Into::into),
        }
    }

    #[test]
    fn origin_4_elements_are_read_in_their_order() {
        let table = [
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                vec![element("192.0.2.60", None, Some("http"))],
            ),
            (
                "for=192.0.2.43, for=\"[2001:db8:cafe::17]:4711\"",
                vec![
                    element("192.0.2.43", None, None),
                    element("[2001:db8:cafe::17]:4711", None, None),
                ],
            ),
            (
                "for=2001:db8:cafe::17;proto=https, for=\"2001:db8:cafe::18\"",
                vec![
                    element("[2001:db8:cafe::17]", None, Some("https")),
                    element("[2001:db8:cafe::18]", None, None),
                ],
            ),
            ("For=\"_gazonk\"", vec![element("_gazonk", None, None)]),
            (
                "host=\"example.org:80\";PROTO=https",
                vec![element("", Some("example.org:80"), Some("https"))],
            ),
            (
                "host=\"a;b\\\"c,d\"",
                vec![element("", Some("a;b\"c,d"), None)],
            ),
            ("host=\"\"", vec![element("", Some(""), None)]),
            (
                " ,\t, for=unknown ; proto=http ;; ,",
                vec![element("unknown", None, Some("http"))],
            ),
            (
                "secret=x;for=unknown;other=\"y z\"",
                vec![element("unknown", None, None)],
            ),
            ("", vec![]),
            (";;,;", vec![]),
            (
                "for=[2001:db8::1]:99;host=example.org:81;proto=;proto-version=;x=1;x=2",
                vec![element(
                    "[2001:db8::1]:99",
                    Some("example.org:81"),
                    Some(""),
                )],
            ),
        ];
        for (line, elements) in table {
            assert_eq!(parse(line), Ok(elements), "{line}");
        }
    }

    #[test]
    fn origin_4_an_error_has_its_position() {
        let pair = "expected `=` after the parameter's name";
        let node = "expected an address, `unknown` or `_name`; IPv6 in brackets";
        let end = "expected `,`, `;` or the end";
        let table = [
            ("for", (3, pair)),
            ("for =1.2.3.4", (3, pair)),
            ("1.2.3.4", (7, pair)),
            ("for=", (4, node)),
            ("for= 1.2.3.4", (4, node)),
            ("for=;proto=http", (4, node)),
            ("for=1;host=\"a;b\"", (4, node)),
            ("for=2001:db8::1:81", (4, node)),
            ("for=\"2001:db8::1:81\"", (4, node)),
            ("for=2001:db8:::1", (4, node)),
            ("for=fe80::1%eth0", (4, node)),
            ("for=\"1.2.3.4", (4, "a quote that is not closed")),
            ("for=\"1.2.3.4\\\"", (4, "a quote that is not closed")),
            ("for=\"1.2.3.4\"x", (13, end)),
            ("for=1.2.3.4 for=1.2.3.4", (12, end)),
            ("=1.2.3.4", (0, end)),
            ("for=1.2.3.4;FOR=1.2.3.5", (12, "a duplicate parameter")),
            // A client leaves a quote open, and a proxy appends its element.
            (
                "for=\"_a, for=203.0.113.9",
                (4, "a quote that is not closed"),
            ),
            ("for=\"_a, for=203.0.113.9;host=\"example.org\"", (4, node)),
            ("x=\"_a, for=\"[2001:db8::1]\"", (12, end)),
            (
                "x=\"a\\, for=203.0.113.9",
                (2, "a quote that is not closed"),
            ),
        ];
        for (line, error) in table {
            assert_eq!(parse(line), Err(error), "{line}");
        }
    }
}
