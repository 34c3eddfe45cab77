//! Prose: the phrases that the word list of the project forbids, the width of lines, and the ids of
//! rules.

use std::{collections::BTreeSet, path::Path};

use super::{crates, files, name, read};

/// Phrases that have a plain word. The second part is that word.
const PHRASES: [(&str, &str); 19] = [
    (
        "whoever",
        "name the actor: caller, client, server, user code",
    ),
    ("somebody", "name the actor"),
    ("nobody", "name the actor"),
    ("anybody", "name the actor"),
    ("the ancestor", "name it: Paste, link.wsgi, the article"),
    ("further in", "inner"),
    ("further out", "outer"),
    ("goes on to", "falls through to"),
    ("moves on to", "falls through to"),
    ("in the place of", "instead of"),
    ("but for the", "except the"),
    ("but for a", "except a"),
    ("taken off", "stripped"),
    ("put before", "prepended"),
    ("put behind", "appended"),
    ("anew", "again"),
    ("offence", "error"),
    ("offences", "errors"),
    ("for the asking", "opt-in"),
];

/// Files with a phrase that is data: a path, or a name to greet.
const DATA: [(&str, &str); 3] = [
    ("examples/hello.rs", "nobody"),
    ("examples/key_adder.rs", "nobody"),
    ("examples/tests/run/programs.rs", "nobody"),
];

/// The most columns of a line of Markdown, and of a comment.
const WIDTH: usize = 100;

/// The words of a text, each phrase of which is found however it is broken into lines.
fn words(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start();
        line.trim_start_matches(['/', '!', '>', '#', '*', '-', ' '])
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    let letters = text.chars().map(|c| match c.is_alphanumeric() || c == '-' {
        true => c.to_ascii_lowercase(),
        false => ' ',
    });
    let text: String = letters.collect();
    format!(
        " {} ",
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    )
}

/// The comments, names and texts of a Rust file, or a Markdown file without its code.
fn prose(path: &Path) -> String {
    let text = read(path);
    if path.extension().is_some_and(|end| end == "rs") {
        return text.replace('_', " ");
    }
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(crate) fn words_are_plain(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files(root) {
        // It has the phrases themselves.
        if file.ends_with("tidy/prose.rs") {
            continue;
        }
        let words = words(&prose(&file));
        let path = file.strip_prefix(root).unwrap_or(&file);
        for (phrase, plain) in PHRASES {
            if DATA
                .iter()
                .any(|data| path.ends_with(data.0) && data.1 == phrase)
            {
                continue;
            }
            let count = words.matches(&format!(" {phrase} ")).count();
            if count > 0 {
                let path = path.display();
                wrong.push(format!("{path}: {count} times \"{phrase}\": {plain}"));
            }
        }
    }
    wrong
}

pub(crate) fn lines_are_narrow(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files(root) {
        let is_rust = file.extension().is_some_and(|end| end == "rs");
        let mut is_code = false;
        for (number, line) in read(&file).lines().enumerate() {
            let start = line.trim_start();
            let is_prose = match is_rust {
                true => {
                    let text = start.trim_start_matches(['/', '!']).trim_start();
                    is_code ^= start.starts_with("//") && text.starts_with("```");
                    start.starts_with("//") && !is_code && !text.starts_with(['|', '['])
                }
                false => {
                    is_code ^= start.starts_with("```");
                    !is_code && !start.starts_with(['|', '<'])
                }
            };
            // Links cannot be broken.
            if is_prose && line.chars().count() > WIDTH && !line.contains("://") {
                let path = file.strip_prefix(root).unwrap_or(&file).display();
                let columns = line.chars().count();
                wrong.push(format!(
                    "{path}:{}: {columns} columns, not {WIDTH}",
                    number + 1
                ));
            }
        }
    }
    wrong
}

/// Each rule of a RULES.md has a test that begins with its id, and each id in a test has its rule.
pub(crate) fn rules_are_tested(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for folder in crates(root) {
        let name = name(&folder);
        let rules = read(folder.join("RULES.md"));
        if rules.is_empty() {
            wrong.push(format!(
                "{name}: write its rules into a RULES.md, each with an id"
            ));
            continue;
        }
        let noun = name.trim_start_matches("tower-").replace('-', "_");
        let id = format!("{}-", name.trim_start_matches("tower-").to_uppercase());
        let defines = |line: &str| {
            let line = line.strip_prefix("- **").or(line.strip_prefix("| "))?;
            number(line.strip_prefix(&id)?)
        };
        let mut stated = BTreeSet::new();
        for rule in rules.lines().filter_map(defines) {
            if !stated.insert(rule) {
                wrong.push(format!("{name}: its RULES.md has rule {rule} twice"));
            }
        }
        if stated.is_empty() {
            wrong.push(format!(
                "{name}: begin each rule of its RULES.md with `- **{id}1**`"
            ));
        }
        let sources: String = files(&folder)
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "rs"))
            .map(read)
            .collect();
        let start = format!("fn {noun}_");
        let tests = sources.split(&start).skip(1);
        let tested: BTreeSet<usize> = tests.filter_map(number).collect();
        let untested = stated.difference(&tested);
        wrong.extend(untested.map(|rule| {
            format!("{name}: no test begins with `{noun}_{rule}_`: write one for the rule")
        }));
        let unstated = tested.difference(&stated);
        wrong.extend(unstated.map(|rule| {
            format!("{name}: a test begins with `{noun}_{rule}_`, but RULES.md has no such rule")
        }));
    }
    wrong
}

/// The number at the start of a text.
fn number(text: &str) -> Option<usize> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let continues = text[end..].starts_with(|c: char| !matches!(c, '*' | '_' | ' '));
    text[..end].parse().ok().filter(|_| !continues)
}
