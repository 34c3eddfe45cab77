//! Interpolation: `%(name)s` and `%%` in values.

use tower_kit::secrets::is_secret;

use crate::{Error, ErrorKind};

/// The most keys that refer to one another in turn.
const DEEPEST: usize = 10;
/// The most bytes of a value with names in it.
const LONGEST: usize = 1 << 16;
/// The most names that are replaced for one value.
const MOST: usize = 10_000;

/// The value that a name stands for.
pub(crate) struct Named<'a> {
    pub(crate) text: &'a str,
    /// Whether it is the text of the file, with `%(name)s` and `%%` in it. Values from another
    /// file are interpolated already.
    pub(crate) is_raw: bool,
    /// Whether it is a secret under any name.
    pub(crate) is_secret: bool,
}

/// Replaces names in the value of a key. Returns the text, and whether one of the values is a
/// secret. `find` gets the key in whose value a name stands, and the name.
pub(crate) fn interpolate<'a>(
    key: &str,
    raw: &str,
    find: &impl Fn(&str, &str) -> Option<Named<'a>>,
) -> Result<(String, bool), Error> {
    let mut expansion = Expansion {
        out: String::new(),
        names: 0,
        has_secret: false,
    };
    expansion.expand(key, raw, find, 1)?;
    Ok((expansion.out, expansion.has_secret))
}

struct Expansion {
    out: String,
    names: usize,
    has_secret: bool,
}

fn too_much(message: String) -> Error {
    let error = Error::new(ErrorKind::InterpolationDepth, message);
    error.help("do keys contain one another several times?")
}

impl Expansion {
    fn expand<'a>(
        &mut self,
        key: &str,
        raw: &str,
        find: &impl Fn(&str, &str) -> Option<Named<'a>>,
        depth: usize,
    ) -> Result<(), Error> {
        if depth > DEEPEST {
            let message = format!("keys refer to one another more than {DEEPEST} deep");
            let error = Error::new(ErrorKind::InterpolationDepth, message);
            return Err(error.help("does one of them refer to itself?"));
        }
        let mut rest = raw;
        while let Some(at) = rest.find('%') {
            self.push(&rest[..at])?;
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                self.push("%")?;
                rest = after;
                continue;
            }
            let Some(reference) = rest.strip_prefix('(') else {
                let error = Error::new(
                    ErrorKind::InterpolationSyntax,
                    "a `%` without `%` or `(name)s` after it",
                );
                return Err(error
                    .help("write `%%` for a percent sign, or `%(name)s` for the value of a key"));
            };
            let name = reference.split_once(")s").map(|(name, _)| name);
            let Some(name) = name.filter(|name| !name.is_empty() && !name.contains(')')) else {
                let error = Error::new(
                    ErrorKind::InterpolationSyntax,
                    "a `%(` without a name and `)s`",
                );
                return Err(
                    error.help("write `%(name)s`, or `%%(` for a percent sign and a parenthesis")
                );
            };
            rest = &reference[name.len() + ")s".len()..];
            self.names += 1;
            if self.names > MOST {
                return Err(too_much(format!("more than {MOST} names are in it")));
            }
            let Some(value) = find(key, name) else {
                let message = format!("there is no key `{name}` for %({name})s");
                let error = Error::new(ErrorKind::InterpolationUnknown, message);
                return Err(
                    error.help("a key of this section or of [DEFAULT], or `here` or `__file__`")
                );
            };
            self.has_secret |= value.is_secret || is_secret(name);
            if value.is_raw && value.text.contains('%') {
                self.expand(name, value.text, find, depth + 1)?;
            } else {
                self.push(value.text)?;
            }
        }
        self.push(rest)
    }

    fn push(&mut self, text: &str) -> Result<(), Error> {
        if self.names > 0 && self.out.len() + text.len() > LONGEST {
            return Err(too_much(format!("it grows beyond {LONGEST} bytes")));
        }
        self.out.push_str(text);
        Ok(())
    }
}
