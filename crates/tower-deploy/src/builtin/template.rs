//! Text with `{name}` in it, filled in for each request.

use std::borrow::Cow;

use http::request::Parts;
use tower_dispatch::UrlArgs;
use tower_environ::{EnvironExt, Key};

/// A text in which `{name}` is a path parameter and `{some.name}` a value of the environ. Braces
/// that name nothing stay as they are.
pub(super) struct Template {
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    /// A path parameter, with its braces.
    Arg(String),
    Environ(String, Key<String>),
}

impl Template {
    pub(super) fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let (mut rest, mut plain) = (text, String::new());
        while let Some(open) = rest.find('{') {
            plain.push_str(&rest[..open]);
            rest = &rest[open..];
            // The first brace of `{{name}` begins no name.
            let end = rest[1..].find(['{', '}']).map_or(rest.len(), |end| 1 + end);
            let braced = rest.get(..=end).filter(|braced| braced.ends_with('}'));
            match braced.and_then(named) {
                Some(piece) => {
                    pieces.extend([Piece::Text(std::mem::take(&mut plain)), piece]);
                    rest = &rest[end + 1..];
                }
                None => {
                    plain.push_str(&rest[..end]);
                    rest = &rest[end..];
                }
            }
        }
        pieces.push(Piece::Text(plain + rest));
        Self { pieces }
    }

    /// Fills in values. `escape` makes a value safe in its context, and returns `None` if nothing
    /// does.
    pub(super) fn fill(
        &self,
        request: &Parts,
        escape: impl for<'a> Fn(&'a str) -> Option<Cow<'a, str>>,
    ) -> Option<String> {
        let args = request.extensions.get::<UrlArgs>();
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Arg(named) => {
                    let name = &named[1..named.len() - 1];
                    let value = args.and_then(|args| match name.parse() {
                        Ok(position) => args.get(position),
                        Err(_) => args.name(name),
                    });
                    out.push_str(&value.map_or(Some(Cow::Borrowed(named.as_str())), &escape)?);
                }
                Piece::Environ(named, key) => {
                    let value = request.environ(key).map(String::as_str);
                    out.push_str(&value.map_or(Some(Cow::Borrowed(named.as_str())), &escape)?);
                }
            }
        }
        Some(out)
    }
}

/// Returns the piece for a text in braces, if it can be a name.
fn named(braced: &str) -> Option<Piece> {
    let name = &braced[1..braced.len() - 1];
    if let Ok(key) = Key::parse(name) {
        return Some(Piece::Environ(braced.to_owned(), key));
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_name = !name.is_empty() && name.chars().all(is_word);
    is_name.then(|| Piece::Arg(braced.to_owned()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn deploy_24_only_names_in_braces_are_names() {
        let (request, ()) = Request::new(()).into_parts();
        for text in [
            "",
            "{",
            "}",
            "{}",
            "{{",
            "{{x}}",
            "{x",
            "a{b c}d{e}",
            "{\u{e4}}",
            "{a.b}{",
            "{a..b}",
            "x}{y}{",
        ] {
            let template = Template::new(text);
            assert_eq!(template.fill(&request, |_| None).as_deref(), Some(text));
        }
        let named = Template::new("{{x}} {y.z} {0}").pieces;
        let names = named
            .iter()
            .filter(|piece| !matches!(piece, Piece::Text(_)));
        assert_eq!(names.count(), 3);
    }

    #[test]
    fn many_braces_take_little_time() {
        assert_eq!(Template::new(&"{".repeat(1_000_000)).pieces.len(), 1);
    }
}
