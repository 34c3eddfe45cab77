//! Links: every relative link of a Markdown file leads to a file, and every anchor to a heading.
//! Every page of docs/ is in the book.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
};

use super::{files, links, read};

pub(crate) fn links_lead_somewhere(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in documents(root) {
        let path = file.strip_prefix(root).unwrap_or(&file).display();
        for link in links(&without_snippets(&read(&file))) {
            let Some(target) = link.target else { continue };
            // Other sites are not asked.
            if target.contains("://") {
                continue;
            }
            // crates.io shows it without the repository, so it may have anchors only, which
            // `readmes_are_whole_on_crates_io` checks.
            let is_of_a_crate =
                file.starts_with(root.join("crates")) && file.ends_with("README.md");
            if is_of_a_crate && !target.starts_with('#') {
                continue;
            }
            let (to, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let to = match to {
                "" => file.clone(),
                to => file.with_file_name(to),
            };
            let fault = if !to.exists() {
                Some("there is no such file")
            } else if !is_within(root, &to) {
                Some("it leads out of the repository")
            } else if !anchor.is_empty() && !anchors(&read(&to)).any(|found| found == anchor) {
                Some("there is no such heading")
            } else {
                None
            };
            if let Some(fault) = fault {
                let line = link.line;
                wrong.push(format!("{path}:{line}: {target} leads nowhere: {fault}"));
            }
        }
    }
    wrong
}

/// Checks that docs/SUMMARY.md, the table of contents of the book, has every page of docs/.
pub(crate) fn pages_are_in_the_book(root: &Path) -> Vec<String> {
    let summary = root.join("docs/SUMMARY.md");
    let listed: Vec<PathBuf> = links(&read(&summary))
        .into_iter()
        .filter_map(|link| Some(summary.with_file_name(link.target?)))
        .collect();
    let pages = documents(&root.join("docs")).into_iter();
    pages
        .filter(|page| *page != summary && !listed.contains(page))
        .map(|page| {
            let page = page.strip_prefix(root).unwrap_or(&page).display();
            format!("docs/SUMMARY.md: give it a line for {page}")
        })
        .collect()
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut found = files(folder);
    found.retain(|path| path.extension().is_some_and(|end| end == "md"));
    found.sort();
    found
}

/// Counts the steps of the path, because a path beyond the root may exist on one machine only.
fn is_within(root: &Path, to: &Path) -> bool {
    let Ok(below) = to.strip_prefix(root) else {
        return false;
    };
    let mut depth = 0_i32;
    below.components().all(|step| {
        depth += if step == Component::ParentDir { -1 } else { 1 };
        depth >= 0
    })
}

/// The text with an empty line for each line of a snippet.
fn without_snippets(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().map(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if is_code || is_fence { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The anchors that GitHub and mdBook give to headings.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let mut seen = HashMap::new();
    let text = without_snippets(text);
    let headings: Vec<String> = text
        .lines()
        .filter_map(|line| {
            line.trim_start_matches('#')
                .strip_prefix(' ')
                .filter(|_| line.starts_with('#'))
        })
        .map(|heading| {
            let kept = heading.trim().to_lowercase();
            let kept = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect();
    headings.into_iter().map(move |anchor| {
        let count: &mut usize = seen.entry(anchor.clone()).or_default();
        *count += 1;
        match *count {
            1 => anchor,
            count => format!("{anchor}-{}", count - 1),
        }
    })
}
