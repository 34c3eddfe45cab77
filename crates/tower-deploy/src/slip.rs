//! Common mistakes in a value: an indented setting, a comment, quotes.

use tower_kit::secrets::{fields, is_secret};

use crate::{Error, Place, Value, place::header};

/// A likely reason why a value is wrong.
struct Slip<'a> {
    /// The line of the value that it is in, and the part of that line.
    line: usize,
    part: &'a str,
    message: String,
    help: String,
}

impl<'a> Slip<'a> {
    fn find(text: &'a str, is_secret: bool) -> Option<Self> {
        let lines = || text.lines().enumerate();
        // It begins like a section or a setting. The rest of a setting may be a secret.
        let begins = lines().skip(1).find_map(|(line, part)| {
            if let Some(section) = header(part) {
                return Some((line, part, format!("[{section}]"), String::new()));
            }
            let (key, _) = part.split_once('=').or_else(|| part.split_once(": "))?;
            let key = key.trim();
            // A path is the key of a urlmap.
            let is_letter = |c: char| c.is_alphanumeric() || "_-. /".contains(c);
            let is_first = |c: char| c.is_alphabetic() || c == '/';
            let is_key = key.starts_with(is_first) && key.chars().all(is_letter);
            is_key.then(|| (line, part, key.to_owned(), " = …".to_owned()))
        });
        if let Some((line, part, name, more)) = begins {
            return Some(Self {
                line,
                part,
                message: format!("the value continues in the indented line `{name}{more}`"),
                help: format!("write `{name}` without the indent, unless it belongs to the value"),
            });
        }
        let comment = lines().find_map(|(line, text)| {
            let begins = |(at, c): &(usize, char)| {
                matches!(c, '#' | ';') && !text[..*at].ends_with(|c: char| !c.is_whitespace())
            };
            let (at, _) = text.char_indices().find(begins)?;
            Some((line, text[..at].trim_end(), &text[at..]))
        });
        if let Some((line, before, part)) = comment {
            let help = "write the comment in a line of its own";
            return Some(Self {
                line,
                part,
                message: "the comment is part of the value".to_owned(),
                help: match is_secret || before.is_empty() {
                    true => help.to_owned(),
                    false => format!("{help}, and here only `{}`", fields(before)),
                },
            });
        }
        let unquoted = ['"', '\''].into_iter().find_map(|quote| {
            let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
            (!inner.is_empty()).then_some(inner)
        });
        unquoted.map(|inner| Self {
            line: 0,
            part: text,
            message: "the quotes are part of the value".to_owned(),
            help: match is_secret {
                true => "write it without them".to_owned(),
                false => format!("write it without them: {}", fields(inner)),
            },
        })
    }

    fn error(self, error: &Error, line: Option<Place>) -> Error {
        let place = line.map(|line| line.within(self.part));
        let likelier = Error::new(error.kind(), self.message).help(self.help);
        likelier.at(place.as_ref())
    }
}

/// Returns the likelier error for a wrong value, if there is one. `word` is the part of the value
/// that was read.
pub(crate) fn of_value(error: Error, key: &str, word: &str, value: &Value) -> Error {
    let is_secret = value.is_secret || is_secret(key);
    let slip = Slip::find(word, is_secret).or_else(|| Slip::find(&value.text, is_secret));
    match slip {
        Some(slip) => {
            let line = value.line_place(slip.line);
            slip.error(&error, line)
        }
        None => error,
    }
}

/// The same for a name of which only the position is known.
pub(crate) fn of_name(error: Error, name: &str, place: Option<&Place>) -> Error {
    match Slip::find(name, false) {
        Some(slip) => slip.error(&error, place.cloned()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_14_a_value_without_a_mistake_has_none() {
        for text in [
            "",
            "80",
            "egg:tower#text",
            "a;b",
            "a#b",
            "\"",
            "''",
            "\"a\" b",
            "a\nGET /x?a=b c",
            "a\nhttp://b",
            "a\n[b",
            "a\n<p class=\"x\">",
            "x\ny",
        ] {
            assert!(Slip::find(text, false).is_none(), "{text}");
        }
    }

    #[test]
    fn deploy_15_a_secret_is_not_shown_in_a_mistake() {
        for (text, is_secret) in [
            ("hunter2 ; x", true),
            ("\"hunter2\"", true),
            ("a\nb = hunter2", false),
            ("http://me:hunter2@example.org ; x", false),
            ("'http://me:hunter2@example.org'", false),
        ] {
            let slip = Slip::find(text, is_secret).unwrap();
            let said = slip.message + &slip.help;
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
