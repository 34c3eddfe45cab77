//! Templates: literals with parameters such as `{name}` or `{name:int}`, and an optional tail.

use crate::{
    class::Class,
    expr::{Expr, Group},
};

/// The column of an error (in characters, from 1), and its reason.
pub(crate) type SyntaxError = (usize, String);

/// Parses a template into the expression that it stands for, without anchors.
pub(crate) fn parse(template: &str) -> Result<Expr, SyntaxError> {
    if !template.starts_with('/') {
        return Err((1, "a template begins with `/`".into()));
    }
    let mut parser = Parser {
        template,
        rest: template,
        names: Vec::new(),
        depth: 0,
    };
    let expr = parser.sequence()?;
    match parser.rest.chars().next() {
        None => Ok(expr),
        Some(_) => Err((
            parser.column(),
            "a `]` without a `[`; write a regex to match one".into(),
        )),
    }
}

/// The most optional tails that may be inside of each other.
const DEPTH: usize = 16;

struct Parser<'a> {
    template: &'a str,
    rest: &'a str,
    names: Vec<&'a str>,
    /// The number of optional tails that are open.
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Parses up to the end, or to the `]` of an optional tail.
    fn sequence(&mut self) -> Result<Expr, SyntaxError> {
        let mut parts = Vec::new();
        // The literal that is being read.
        let mut literal = String::new();
        loop {
            self.old_style("/:", "")?;
            self.old_style("/*", "*")?;
            self.encoded()?;
            let Some(next) = self.rest.chars().next().filter(|next| *next != ']') else {
                break;
            };
            if self.rest.starts_with("{{") || self.rest.starts_with("}}") {
                literal.push(next);
                self.advance(2);
                continue;
            }
            let part = match next {
                '{' => self.parameter()?,
                '[' => self.optional_tail()?,
                '}' => {
                    let reason = "a `}` without a `{`; write `}}` for a brace";
                    return Err((self.column(), reason.into()));
                }
                _ => {
                    literal.push(next);
                    self.advance(next.len_utf8());
                    continue;
                }
            };
            if !literal.is_empty() {
                parts.push(Expr::Literal(std::mem::take(&mut literal).into()));
            }
            parts.push(part);
        }
        if !literal.is_empty() {
            parts.push(Expr::Literal(literal.into()));
        }
        Ok(Expr::Concat(parts))
    }

    /// Parses `[…]`. Nothing may follow it, except the ends of the tails around it.
    fn optional_tail(&mut self) -> Result<Expr, SyntaxError> {
        let column = self.column();
        if self.depth == DEPTH {
            return Err((column, format!("optional tails nest {DEPTH} deep at most")));
        }
        self.depth += 1;
        self.advance(1);
        if self.rest.starts_with(']') {
            return Err((column, "an empty optional tail".into()));
        }
        let tail = self.sequence()?;
        if self.rest.is_empty() {
            return Err((column, "a `[` that is not closed".into()));
        }
        self.advance(1);
        self.depth -= 1;
        let ends = self.rest.is_empty() || self.depth > 0 && self.rest.starts_with(']');
        if !ends {
            let reason = "only the end of a template is optional: its `]` is the last character";
            return Err((self.column(), reason.into()));
        }
        Ok(Expr::optional(tail))
    }

    /// Rejects `/:name` and `/*name`, the syntax of other routers.
    fn old_style(&self, sign: &str, star: &str) -> Result<(), SyntaxError> {
        let Some(rest) = self.rest.strip_prefix(sign) else {
            return Ok(());
        };
        let end = rest.find(|c| !is_name_character(c)).unwrap_or(rest.len());
        match &rest[..end] {
            name if is_name(name) => Err((
                self.column() + 1,
                format!("did you mean `{{{star}{name}}}`?"),
            )),
            _ => Ok(()),
        }
    }

    /// Rejects `%20`. The client sends it, but the decoded path has a space.
    fn encoded(&self) -> Result<(), SyntaxError> {
        let digits = self.rest.strip_prefix('%').and_then(|rest| rest.get(..2));
        match digits {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Err((
                self.column(),
                format!(
                    "templates are for the decoded path: write the character and not `%{digits}`"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Parses `{name}`, `{name:converter}` or `{*name}`.
    fn parameter(&mut self) -> Result<Expr, SyntaxError> {
        let column = self.column();
        let end = parameter_end(self.rest).ok_or((
            column,
            "a `{` that is not closed; write `{{` for a brace".to_owned(),
        ))?;
        let inside = &self.rest[1..end];
        let (name, converter) = match inside.strip_prefix('*') {
            Some(name) => (name, Some("path")),
            None => match inside.split_once(':') {
                Some((name, converter)) => (name, Some(converter)),
                None => (inside, None),
            },
        };
        if !is_name(name) {
            return Err((
                column + 1,
                format!(
                    "expected `{{name}}`, `{{name:converter}}` or `{{*name}}` with a name of letters, digits and `_`, found `{{{inside}}}`"
                ),
            ));
        }
        if self.names.contains(&name) {
            return Err((column + 1, format!("duplicate name `{name}`")));
        }
        self.names.push(name);
        let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        // After the brace, the name and the colon.
        let inside = column + 2 + name.chars().count();
        let sub = match converter {
            None => Expr::at_least(1, Expr::Class(Class::not_a_slash())),
            Some(converter) => convert(converter).map_err(|(at, reason)| (inside + at, reason))?,
        };
        self.advance(end + 1);
        Ok(Expr::Group(Group {
            index,
            name: Some(name.into()),
            sub: Box::new(sub),
        }))
    }

    fn column(&self) -> usize {
        let done = &self.template[..self.template.len() - self.rest.len()];
        done.chars().count() + 1
    }

    /// Skips a number of bytes.
    fn advance(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }
}

/// Returns the index of the `}` that ends a parameter. One inside the brackets of its regex does
/// not count. There brackets nest, and a backslash escapes.
fn parameter_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '}' if depth == 0 => return Some(at),
            '\\' if depth > 0 => {
                chars.next();
            }
            '[' => {
                depth += 1;
                // The first bracket in a class is one of its characters. The outermost is no class.
                if depth > 1 {
                    chars.next_if(|(_, c)| *c == '^');
                    chars.next_if(|(_, c)| *c == ']');
                }
            }
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Returns the expression that a converter stands for.
fn convert(converter: &str) -> Result<Expr, SyntaxError> {
    match converter {
        "int" => {
            let digit = Class::new(vec![('0', '9')]);
            return Ok(Expr::at_least(1, Expr::Class(digit)));
        }
        "uuid" => return Ok(uuid()),
        "path" => return Ok(Expr::at_least(1, Expr::Class(Class::all()))),
        _ => {}
    }
    let inside = |open, close| converter.strip_prefix(open)?.strip_suffix(close);
    if let Some(texts) = inside("any(", ")") {
        let texts: Vec<&str> = texts.split(',').collect();
        if texts.contains(&"") {
            return Err((
                0,
                "`any` takes texts with commas between, and no empty one".into(),
            ));
        }
        let texts = texts.iter().map(|text| Expr::Literal((*text).into()));
        return Ok(Expr::Any(texts.collect()));
    }
    let Some(regex) = inside("[", "]") else {
        let reason = "there are the converters `int`, `uuid`, `path`, `any(a,b)` and `[regex]`";
        return Err((0, format!("{reason}, found `{converter}`")));
    };
    from_regex(regex)
}

#[cfg(feature = "regex")]
fn from_regex(regex: &str) -> Result<Expr, SyntaxError> {
    let hir = crate::syntax::parse(regex)?;
    match hir.properties().explicit_captures_len() {
        0 => Ok(Expr::from_hir(&hir)),
        _ => Err((
            1,
            "a parameter is one group by itself: write `(?:…)` inside of it".into(),
        )),
    }
}

#[cfg(not(feature = "regex"))]
fn from_regex(_: &str) -> Result<Expr, SyntaxError> {
    Err((
        0,
        "a regex needs the feature `regex` of tower-dispatch".into(),
    ))
}

/// Returns the expression of a UUID: 8, 4, 4, 4 and 12 hexadecimal digits.
fn uuid() -> Expr {
    let digits = |count| {
        let digit = Class::new(vec![('0', '9'), ('A', 'F'), ('a', 'f')]);
        Expr::times(count, Expr::Class(digit))
    };
    let mut parts = vec![digits(8)];
    for count in [4, 4, 4, 12] {
        parts.extend([Expr::Literal("-".into()), digits(count)]);
    }
    Expr::Concat(parts)
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use crate::{Pattern, Table};

    /// Returns the path parameters of a template for a path.
    fn args<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
        let table = Table::new(&[Pattern::template(template).unwrap()]).unwrap();
        let found = table.find(path)?;
        let text = |span: Option<_>| span.map_or("(absent)", |span| &path[span]);
        Some(found.spans().map(text).collect())
    }

    /// Returns whether a template needs a feature that is off.
    fn is_left_out(template: &str) -> bool {
        cfg!(not(feature = "regex")) && template.contains(":[")
            || cfg!(not(feature = "unicode")) && template.contains(['?', '\\'])
    }

    #[cfg(not(feature = "regex"))]
    #[test]
    fn dispatch_20_a_regex_in_a_template_names_the_feature() {
        assert_eq!(
            Pattern::template("/é{x:[[a-c]+]}").unwrap_err().to_string(),
            "pattern \"/é{x:[[a-c]+]}\", column 6: a regex needs the feature `regex` of tower-dispatch"
        );
    }

    #[test]
    fn dispatch_3_a_template_matches_the_whole_path() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let uuid_path = format!("/{uuid}");
        let table: &[(&str, &str, Option<&[&str]>)] = &[
            ("/{x:int}", "/042", Some(&["042"])),
            ("/{x:int}", "/-1", None),
            ("/{x:int}", "/1x", None),
            ("/{x:int}", "/٣", None),
            ("/v{major:int}.{minor:int}", "/v1.20", Some(&["1", "20"])),
            ("/{x:uuid}", &uuid_path, Some(&[uuid])),
            ("/{x:uuid}", "/67e5504410b1426f9247bb680e5fe0c8", None),
            ("/{x:path}/tags", "/a/b/tags", Some(&["a/b"])),
            ("/{x:path}", "/a\n/b", Some(&["a\n/b"])),
            ("/{x:any(a,ab,c.d)}", "/ab", Some(&["ab"])),
            ("/{x:any(a,ab,c.d)}", "/c.d", Some(&["c.d"])),
            ("/{x:any(a,ab,c.d)}", "/cxd", None),
            (
                "/{y:[[0-9]{4}]}-{m:[\\d{2}]}",
                "/2026-11",
                Some(&["2026", "11"]),
            ),
            ("/{x:[[^]}/]+]}", "/a[b", Some(&["a[b"])),
            ("/{x:[[]}]+]}", "/]}", Some(&["]}"])),
            ("/{x:[[a-c&&[^b]]+]}", "/ac", Some(&["ac"])),
            ("/{x:[[a-c&&[^b]]+]}", "/b", None),
            ("/{x:[a\\]b]}", "/a]b", Some(&["a]b"])),
            ("/{x:[a|b]}c", "/bc", Some(&["b"])),
            ("/{x:[.+]}", "/a/b", Some(&["a/b"])),
            ("/{x:[(?i)abc]}D", "/ABCD", Some(&["ABC"])),
            ("/{x:[(?i)abc]}D", "/ABCd", None),
            ("/posts[/{page:int}]", "/posts", Some(&["(absent)"])),
            ("/posts[/{page:int}]", "/posts/2", Some(&["2"])),
            ("/posts[/{page:int}]", "/posts/", None),
            ("/a[/{b}[/{c}]]", "/a", Some(&["(absent)", "(absent)"])),
            ("/a[/{b}[/{c}]]", "/a/1", Some(&["1", "(absent)"])),
            ("/a[/{b}[/{c}]]", "/a/1/2", Some(&["1", "2"])),
            (
                "/{name}[.{format:any(json,xml)}]",
                "/a.b.json",
                Some(&["a.b.json", "(absent)"]),
            ),
            ("/a[/]", "/a/", Some(&[])),
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
        for &(template, path, expected) in table {
            if is_left_out(template) {
                continue;
            }
            assert_eq!(
                args(template, path).as_deref(),
                expected,
                "{template} {path}"
            );
        }
    }

    #[test]
    fn dispatch_17_an_invalid_template_is_an_error_with_a_column() {
        let table = [
            ("", "pattern \"\", column 1: a template begins with `/`"),
            ("a", "pattern \"a\", column 1: a template begins with `/`"),
            (
                "/é{x",
                "pattern \"/é{x\", column 3: a `{` that is not closed; write `{{` for a brace",
            ),
            (
                "/x}",
                "pattern \"/x}\", column 3: a `}` without a `{`; write `}}` for a brace",
            ),
            (
                "/{x y}",
                "pattern \"/{x y}\", column 3: expected `{name}`, `{name:converter}` or `{*name}` with a name of letters, digits and `_`, found `{x y}`",
            ),
            (
                "/{}",
                "pattern \"/{}\", column 3: expected `{name}`, `{name:converter}` or `{*name}` with a name of letters, digits and `_`, found `{}`",
            ),
            (
                "/{x}/{x}",
                "pattern \"/{x}/{x}\", column 7: duplicate name `x`",
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
                "/é[/{b}",
                "pattern \"/é[/{b}\", column 3: a `[` that is not closed",
            ),
            (
                "/a]",
                "pattern \"/a]\", column 3: a `]` without a `[`; write a regex to match one",
            ),
            (
                "/a[b]]",
                "pattern \"/a[b]]\", column 6: only the end of a template is optional: its `]` is the last character",
            ),
            ("/a[]", "pattern \"/a[]\", column 3: an empty optional tail"),
            (
                "/a[/{b}]/c",
                "pattern \"/a[/{b}]/c\", column 9: only the end of a template is optional: its `]` is the last character",
            ),
            (
                "/a[/{b}[/{c}]d]",
                "pattern \"/a[/{b}[/{c}]d]\", column 14: only the end of a template is optional: its `]` is the last character",
            ),
            (
                "/[a[a[a[a[a[a[a[a[a[a[a[a[a[a[a[a[a]]]]]]]]]]]]]]]]]",
                "pattern \"/[a[a[a[a[a[a[a[a[a[a[a[a[a[a[a[a[a]]]]]]]]]]]]]]]]]\", column 34: optional tails nest 16 deep at most",
            ),
            (
                "/{é:int}",
                "pattern \"/{é:int}\", column 3: expected `{name}`, `{name:converter}` or `{*name}` with a name of letters, digits and `_`, found `{é:int}`",
            ),
            (
                "/é{id:number}",
                "pattern \"/é{id:number}\", column 7: there are the converters `int`, `uuid`, `path`, `any(a,b)` and `[regex]`, found `number`",
            ),
            (
                "/{x:any(a,,b)}",
                "pattern \"/{x:any(a,,b)}\", column 5: `any` takes texts with commas between, and no empty one",
            ),
            (
                "/{x:[a(b)]}",
                "pattern \"/{x:[a(b)]}\", column 6: a parameter is one group by itself: write `(?:…)` inside of it",
            ),
            (
                "/{x:[ab*+?{]}",
                "pattern \"/{x:[ab*+?{]}\", column 11: unclosed counted repetition",
            ),
            (
                "/{x:[(?=a)]}",
                "pattern \"/{x:[(?=a)]}\", column 6: look-around, including look-ahead and look-behind, is not supported",
            ),
            (
                "/é%20b",
                "pattern \"/é%20b\", column 3: templates are for the decoded path: write the character and not `%20`",
            ),
        ];
        for (template, text) in table {
            if is_left_out(template) {
                continue;
            }
            assert_eq!(Pattern::template(template).unwrap_err().to_string(), text);
        }
    }
}
