//! Templates: literal text with `{name}` and `{*name}` in it.

use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Repetition};

/// What is wrong with a template, and at which column (in characters, from 1).
type Offence = (usize, String);

/// Lowers a template to the regex that it stands for, without anchors.
pub(crate) fn parse(template: &str) -> Result<Hir, Offence> {
    if !template.starts_with('/') {
        return Err((1, "a template starts with `/`".into()));
    }
    let mut parser = Parser {
        rest: template,
        column: 1,
        literal: String::new(),
        parts: Vec::new(),
        names: Vec::new(),
    };
    while parser.step()? {}
    parser.close_literal();
    Ok(Hir::concat(parser.parts))
}

struct Parser<'a> {
    rest: &'a str,
    column: usize,
    /// The literal text that is being read.
    literal: String,
    parts: Vec<Hir>,
    names: Vec<&'a str>,
}

impl<'a> Parser<'a> {
    /// Reads the next character or `{name}`; `false` at the end.
    fn step(&mut self) -> Result<bool, Offence> {
        self.old_style("/:", "")?;
        self.old_style("/*", "*")?;
        self.encoded()?;
        let Some(next) = self.rest.chars().next() else {
            return Ok(false);
        };
        if self.rest.starts_with("{{") || self.rest.starts_with("}}") {
            self.literal.push(next);
            self.advance(2);
        } else if next == '{' {
            self.parameter()?;
        } else if matches!(next, '[' | ']') {
            // They will say which part is optional.
            return Err((
                self.column,
                format!("`{next}` has no meaning in a template yet; write a regex to match it"),
            ));
        } else if next == '}' {
            return Err((
                self.column,
                "a `}` that closes nothing; write `}}` for a brace".into(),
            ));
        } else {
            self.literal.push(next);
            self.advance(next.len_utf8());
        }
        Ok(true)
    }

    /// `/:name` and `/*name`, as other routers have it.
    fn old_style(&self, sign: &str, star: &str) -> Result<(), Offence> {
        let Some(rest) = self.rest.strip_prefix(sign) else {
            return Ok(());
        };
        let end = rest.find(|c| !is_name_character(c)).unwrap_or(rest.len());
        match &rest[..end] {
            name if is_name(name) => {
                Err((self.column + 1, format!("did you mean `{{{star}{name}}}`?")))
            }
            _ => Ok(()),
        }
    }

    /// `%20`, which no decoded path has where a client has sent that.
    fn encoded(&self) -> Result<(), Offence> {
        let digits = self.rest.strip_prefix('%').and_then(|rest| rest.get(..2));
        match digits {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Err((
                self.column,
                format!(
                    "templates are for the decoded path: write the character and not `%{digits}`"
                ),
            )),
            _ => Ok(()),
        }
    }

    fn parameter(&mut self) -> Result<(), Offence> {
        let Some(end) = self.rest.find('}') else {
            return Err((
                self.column,
                "a `{` that is not closed; write `{{` for a brace".into(),
            ));
        };
        let inside = &self.rest[1..end];
        let (name, hir) = match inside.strip_prefix('*') {
            Some(name) => (name, Hir::dot(Dot::AnyChar)),
            None => (inside, not_a_slash()),
        };
        if !is_name(name) {
            return Err((
                self.column + 1,
                format!(
                    "expected `{{name}}` or `{{*name}}` with a name of letters, digits and `_`, found `{{{inside}}}`"
                ),
            ));
        }
        if self.names.contains(&name) {
            return Err((self.column + 1, format!("the name `{name}` is given twice")));
        }
        self.close_literal();
        self.names.push(name);
        let one_or_more = Hir::repetition(Repetition {
            min: 1,
            max: None,
            greedy: true,
            sub: Box::new(hir),
        });
        self.parts.push(Hir::capture(Capture {
            index: u32::try_from(self.names.len()).unwrap_or(u32::MAX),
            name: Some(name.into()),
            sub: Box::new(one_or_more),
        }));
        self.advance(end + 1);
        Ok(())
    }

    fn close_literal(&mut self) {
        let literal = std::mem::take(&mut self.literal);
        self.parts.push(Hir::literal(literal.into_bytes()));
    }

    /// Goes on by so many bytes.
    fn advance(&mut self, bytes: usize) {
        let (done, rest) = self.rest.split_at(bytes);
        self.column += done.chars().count();
        self.rest = rest;
    }
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn not_a_slash() -> Hir {
    let mut class = ClassUnicode::new([ClassUnicodeRange::new('/', '/')]);
    class.negate();
    Hir::class(Class::Unicode(class))
}

#[cfg(test)]
mod tests {
    use crate::{Pattern, Table};

    /// The url args of the template for this path.
    fn args<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
        let table = Table::new(&[Pattern::template(template).unwrap()]).unwrap();
        let found = table.find(path)?;
        Some(found.spans().map(|span| &path[span.unwrap()]).collect())
    }

    #[test]
    fn a_template_matches_the_whole_path() {
        let table: [(&str, &str, Option<&[&str]>); 16] = [
            ("/", "/", Some(&[])),
            ("/a", "/a", Some(&[])),
            ("/a", "/a/", None),
            ("/a", "/a\n", None),
            ("/a.b", "/axb", None),
            ("/{x}", "/", None),
            ("/{x}", "/é", Some(&["é"])),
            ("/{x}/b", "/a/b", Some(&["a"])),
            ("/{x}", "/a/b", None),
            ("/{x}.{y}", "/a.b.c", Some(&["a.b", "c"])),
            ("/{*x}", "/a/b/", Some(&["a/b/"])),
            ("/{*x}/c/{y}", "/a/b/c/d", Some(&["a/b", "d"])),
            ("/{{x}}", "/{x}", Some(&[])),
            ("/{*x}", "/", None),
            ("/100%", "/100%", Some(&[])),
            ("/a:b/:/*", "/a:b/:/*", Some(&[])),
        ];
        for (template, path, expected) in table {
            assert_eq!(
                args(template, path).as_deref(),
                expected,
                "{template} {path}"
            );
        }
    }

    #[test]
    fn what_is_no_template_says_why_and_where() {
        let table = [
            ("", "pattern \"\", column 1: a template starts with `/`"),
            ("a", "pattern \"a\", column 1: a template starts with `/`"),
            (
                "/é{x",
                "pattern \"/é{x\", column 3: a `{` that is not closed; write `{{` for a brace",
            ),
            (
                "/x}",
                "pattern \"/x}\", column 3: a `}` that closes nothing; write `}}` for a brace",
            ),
            (
                "/{x y}",
                "pattern \"/{x y}\", column 3: expected `{name}` or `{*name}` with a name of letters, digits and `_`, found `{x y}`",
            ),
            (
                "/{}",
                "pattern \"/{}\", column 3: expected `{name}` or `{*name}` with a name of letters, digits and `_`, found `{}`",
            ),
            (
                "/{x}/{x}",
                "pattern \"/{x}/{x}\", column 7: the name `x` is given twice",
            ),
            (
                "/a/:id/b",
                "pattern \"/a/:id/b\", column 4: did you mean `{id}`?",
            ),
            (
                "/:id.json",
                "pattern \"/:id.json\", column 2: did you mean `{id}`?",
            ),
            (
                "/*rest",
                "pattern \"/*rest\", column 2: did you mean `{*rest}`?",
            ),
            (
                "/a[/{b}]",
                "pattern \"/a[/{b}]\", column 3: `[` has no meaning in a template yet; write a regex to match it",
            ),
            (
                "/é%20b",
                "pattern \"/é%20b\", column 3: templates are for the decoded path: write the character and not `%20`",
            ),
        ];
        for (template, text) in table {
            assert_eq!(Pattern::template(template).unwrap_err().to_string(), text);
        }
    }
}
