//! Text with `{name}` in it, filled in for each request.

use std::borrow::Cow;

use http::request::Parts;
use tower_dispatch::UrlArgs;
use tower_environ::{EnvironExt, Key};

/// Text in which `{name}` is a url arg and `{some.name}` a value of the environ. What names nothing stays as it is.
pub(super) struct Template {
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    /// With its braces.
    Arg(String),
    Environ(String, Key<String>),
}

impl Template {
    pub(super) fn new(text: &str) -> Self {
        let mut pieces = vec![Piece::Text(String::new())];
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let end = rest[open..].find('}').map(|end| open + end + 1);
            let named = end.and_then(|end| Some((named(&rest[open..end])?, end)));
            let (piece, end) = match named {
                Some((piece, end)) => (Some(piece), end),
                None => (None, open + 1),
            };
            if let Some(Piece::Text(before)) = pieces.last_mut() {
                before.push_str(match piece {
                    Some(_) => &rest[..open],
                    None => &rest[..end],
                });
            }
            if let Some(piece) = piece {
                pieces.extend([piece, Piece::Text(String::new())]);
            }
            rest = &rest[end..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self { pieces }
    }

    /// `escape` makes a value fit for where it will stand.
    pub(super) fn fill(
        &self,
        request: &Parts,
        escape: impl for<'a> Fn(&'a str) -> Cow<'a, str>,
    ) -> String {
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
                    out.push_str(&value.map_or(Cow::Borrowed(named.as_str()), &escape));
                }
                Piece::Environ(named, key) => {
                    let value = request.environ(key).map(String::as_str);
                    out.push_str(&value.map_or(Cow::Borrowed(named.as_str()), &escape));
                }
            }
        }
        out
    }
}

/// What stands in braces, if that can be a name.
fn named(braced: &str) -> Option<Piece> {
    let name = &braced[1..braced.len() - 1];
    if let Ok(key) = Key::parse(name) {
        return Some(Piece::Environ(braced.to_owned(), key));
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_name = !name.is_empty() && name.chars().all(is_word);
    is_name.then(|| Piece::Arg(braced.to_owned()))
}
