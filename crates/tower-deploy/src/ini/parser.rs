//! The parser, which follows `configparser` line by line.

use std::{collections::HashSet, ops::Range, path::Path, sync::Arc};

use super::document::{DEFAULT, Document, Section, Setting};
use crate::{
    Error, ErrorKind, Place,
    place::{Source, header},
};

impl Document {
    /// Parses the text of a file. Errors name the path.
    ///
    /// # Errors
    ///
    /// The text is no INI file. The error has the position.
    pub fn parse(path: &Path, text: String) -> Result<Self, Error> {
        let source = Arc::new(Source {
            path: path.into(),
            text,
            is_ini: true,
        });
        Parser::new(&source).parse()
    }
}

struct Parser<'a> {
    source: &'a Arc<Source>,
    document: Document,
    /// The section that the next setting is in.
    current: Option<Target>,
    /// The setting that a line with more indent belongs to.
    open: Option<Open>,
    seen: HashSet<(String, Option<String>)>,
}

#[derive(Clone, Copy)]
enum Target {
    Defaults,
    Section(usize),
}

/// A setting whose value may continue in the next line.
struct Open {
    key: String,
    key_span: Range<usize>,
    lines: Vec<Range<usize>>,
    indent: usize,
}

impl<'a> Parser<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        Self {
            source,
            document: Document {
                source: source.clone(),
                defaults: Vec::new(),
                sections: Vec::new(),
            },
            current: None,
            open: None,
            seen: HashSet::new(),
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place::new(self.source, span)
    }

    fn parse(mut self) -> Result<Document, Error> {
        let text = &self.source.text;
        for line in lines(text) {
            let content = trimmed(text, line.clone());
            if content.is_empty() {
                // It may be between two lines of one value.
                if let Some(open) = &mut self.open {
                    open.lines.push(content);
                }
                continue;
            }
            if text[content.clone()].starts_with(['#', ';']) {
                continue;
            }
            let indent = text[line.start..content.start].chars().count();
            match &mut self.open {
                Some(open) if indent > open.indent => open.lines.push(content),
                _ => {
                    self.close();
                    self.line(content, indent)?;
                }
            }
        }
        self.close();
        Ok(self.document)
    }

    /// Reads a line that begins a section or a setting.
    fn line(&mut self, content: Range<usize>, indent: usize) -> Result<(), Error> {
        let text = &self.source.text[content.clone()];
        let is_blank = |name: &str| name.trim_matches(is_space).is_empty();
        if header(text).map_or(text.starts_with("[]"), is_blank) {
            // DIFFERENCE: to `configparser` `[ ]` is a section. It has the same errors for `[]`.
            let kind = match self.current {
                None => ErrorKind::MissingSectionHeader,
                Some(_) => ErrorKind::Syntax,
            };
            let error = Error::new(kind, "a section without a name");
            let error = error.at(Some(&self.place(content)));
            return Err(error.help("write `[app:main]`"));
        }
        if let Some(name) = header(text) {
            let span = content.start + 1..content.start + 1 + name.len();
            return self.section(name, span);
        }
        if let Some(rest) = text.strip_prefix('[').filter(|rest| !rest.contains(']')) {
            // DIFFERENCE: to `configparser` it is a key if it has a `:` or `=` in it.
            let name = rest.split([' ', '\t', ';', '#', '=']).next();
            let name = name.filter(|name| !name.is_empty()).unwrap_or("app:main");
            let error = Error::new(ErrorKind::Syntax, "a section without its `]`");
            let help = format!("write `[{name}]`");
            return Err(error.at(Some(&self.place(content))).help(help));
        }
        let Some(current) = self.current else {
            let message = "a setting before the first section";
            let error = Error::new(ErrorKind::MissingSectionHeader, message);
            let help = if text.starts_with('\u{feff}') {
                "save the file without a byte order mark"
            } else {
                "begin with a section, such as [app:main]"
            };
            return Err(error.at(Some(&self.place(content))).help(help));
        };
        let section = match current {
            Target::Defaults => DEFAULT,
            Target::Section(number) => &self.document.sections[number].name,
        };
        let delimiter = text.find(['=', ':']);
        let key = delimiter.map(|at| trimmed(text, 0..at)).unwrap_or_default();
        let Some(delimiter) = delimiter.filter(|_| !key.is_empty()) else {
            let error = Error::new(
                ErrorKind::Syntax,
                "a line that is neither a section nor a setting",
            );
            return Err(error
                .section(section)
                .at(Some(&self.place(content)))
                .help("write `key = value`, or indent what belongs to the value above"));
        };
        let name = &text[key.clone()];
        let key_span = content.start + key.start..content.start + key.end;
        if !self
            .seen
            .insert((section.to_owned(), Some(name.to_owned())))
        {
            return Err(
                Error::new(ErrorKind::DuplicateKey, "the key is a duplicate")
                    .section(section)
                    .key(name)
                    .at(Some(&self.place(key_span)))
                    .help("take one of them out"),
            );
        }
        let value = trimmed(
            &self.source.text,
            content.start + delimiter + 1..content.end,
        );
        self.open = Some(Open {
            key: name.to_owned(),
            key_span,
            lines: vec![value],
            indent,
        });
        Ok(())
    }

    fn section(&mut self, name: &str, span: Range<usize>) -> Result<(), Error> {
        if name == DEFAULT {
            self.current = Some(Target::Defaults);
            return Ok(());
        }
        let place = self.place(span);
        if !self.seen.insert((name.to_owned(), None)) {
            return Err(
                Error::new(ErrorKind::DuplicateSection, "the section is a duplicate")
                    .section(name)
                    .at(Some(&place))
                    .help("put all of its settings under one heading"),
            );
        }
        self.current = Some(Target::Section(self.document.sections.len()));
        self.document.sections.push(Section {
            name: name.to_owned(),
            place,
            settings: Vec::new(),
        });
        Ok(())
    }

    /// Ends the setting that is open.
    fn close(&mut self) {
        let (Some(open), Some(current)) = (self.open.take(), self.current) else {
            return;
        };
        let text = &self.source.text;
        let lines: Vec<&str> = open.lines.iter().map(|line| &text[line.clone()]).collect();
        let value = lines.join("\n").trim_end_matches(is_space).to_owned();
        // The first line that is not empty is marked in errors.
        let shown = open.lines.iter().find(|line| !line.is_empty());
        let shown = shown.unwrap_or(&open.key_span).clone();
        let setting = Setting {
            key: open.key,
            value,
            key_place: self.place(open.key_span),
            value_place: self.place(shown),
            lines: open.lines.into(),
        };
        match current {
            Target::Defaults => self.document.defaults.push(setting),
            Target::Section(number) => self.document.sections[number].settings.push(setting),
        }
    }
}

/// Returns whether Python calls a character white space. Unicode has four fewer.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Returns the part of a text without white space around it.
fn trimmed(text: &str, span: Range<usize>) -> Range<usize> {
    let part = &text[span.clone()];
    let start = span.start + (part.len() - part.trim_start_matches(is_space).len());
    let end = span.end - (part.len() - part.trim_end_matches(is_space).len());
    start.min(end)..end
}

/// Returns the lines of a text, without their ends.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        if rest == text.len() {
            return None;
        }
        let start = rest;
        let end = text[start..].find(['\n', '\r']);
        let end = end.map_or(text.len(), |end| start + end);
        let breaks = match &text.as_bytes()[end..] {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        rest = end + breaks;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(Path::new("/x.ini"), text.to_owned()).unwrap()
    }

    #[test]
    fn deploy_7_a_document_prints_as_it_was_read() {
        let text = "[DEFAULT]\r\nd : 1\r\n# a comment\r\n[a]b]\r\nk=v # none\r\n  more\r\n\r\n  last\r\n\r\n[ c ]\rx y = \n";
        let document = parse(text);
        let printed = "[DEFAULT]\nd = 1\n\n[a]b]\nk = v # none\n    more\n    \n    last\n\n[ c ]\nx y = \n\n";
        assert_eq!(document.to_string(), printed);
        assert_eq!(parse(printed).to_string(), printed);
        assert_eq!(document.defaults().collect::<Vec<_>>(), [("d", "1")]);
        let sections = document.sections();
        let sections: Vec<_> = sections
            .map(|(name, keys)| (name, keys.collect()))
            .collect();
        let expected: [(&str, Vec<(&str, &str)>); 2] = [
            ("a]b", vec![("k", "v # none\nmore\n\nlast")]),
            (" c ", vec![("x y", "")]),
        ];
        assert_eq!(sections, expected);
        assert_eq!(parse("[a]\n").to_string(), "[a]\n\n");
    }

    #[test]
    fn deploy_7_lines_end_in_three_ways() {
        let text = "a\r\n\rb\n\nc";
        let seen: Vec<_> = lines(text).map(|line| &text[line]).collect();
        assert_eq!(seen, ["a", "", "b", "", "c"]);
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("a\n").count(), 1);
    }
}
