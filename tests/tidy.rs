//! Reads the tree and says what to do where it is untidy. Each rule is a function from a
//! repository's folder to what is wrong with it, so that it can be tried on an untidy one.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/prose.rs"]
mod prose;

use std::{
    fs,
    path::{Path, PathBuf},
};

use links::{links_lead_somewhere, pages_are_in_the_book};
use prose::{lines_are_narrow, rules_are_tested, words_are_plain};

/// What published crates may depend on, besides each other. Another one goes in here with a reason
/// in ARCHITECTURE.md, if it is one of the big ones or if there was a choice.
const DEPENDENCIES: [&str; 31] = [
    "aho-corasick",
    "annotate-snippets",
    "axum-core",
    "backtrace",
    "base64",
    "bytes",
    "clap",
    "getrandom",
    "html-escape",
    "http",
    "http-body",
    "http-body-util",
    "humantime",
    "indexmap",
    "ipnet",
    "maud",
    "mediatype",
    "memchr",
    "percent-encoding",
    "pin-project-lite",
    "regex-automata",
    "regex-syntax",
    "serde",
    "serde_json",
    "siphasher",
    "smallvec",
    "strsim",
    "sync_wrapper",
    "tower-layer",
    "tower-service",
    "tracing",
];

/// What tower-deploy may depend on besides: it serves, and so has what the layers must not bring.
const OF_DEPLOY: [&str; 10] = [
    "arc-swap",
    "futures-util",
    "hyper",
    "hyper-util",
    "notify",
    "sha2",
    "tokio",
    "tower",
    "tower-http",
    "tracing-subscriber",
];

/// What the crates may depend on besides that do input and output.
const OF_SERVICES: [(&str, &[&str]); 5] = [
    (
        "tower-gateway",
        &["listenfd", "rustix", "tempfile", "tokio"],
    ),
    ("tower-process", &["rustix", "tempfile", "tokio"]),
    (
        "tower-serve",
        &[
            "hyper",
            "hyper-util",
            "listenfd",
            "rcgen",
            "socket2",
            "tokio",
            "tokio-io-timeout",
            "tokio-rustls",
            "tower",
        ],
    ),
    (
        "tower-static",
        &["httpdate", "mime_guess", "rustix", "sha2", "tokio"],
    ),
    (
        "tower-upstream",
        &[
            "h2",
            "hyper",
            "hyper-util",
            "rustls-native-certs",
            "sha1",
            "socket2",
            "tokio",
            "tokio-rustls",
        ],
    ),
];

/// Crates of this workspace that a published one may depend on, all but by tests.
const NEIGHBOURS: [(&str, &[&str]); 16] = [
    ("tower-body-rewrite", &["tower-kit"]),
    ("tower-cascade", &["tower-kit"]),
    (
        "tower-deploy",
        &[
            "tower-body-rewrite",
            "tower-cascade",
            "tower-dispatch",
            "tower-environ",
            "tower-error-document",
            "tower-exception",
            "tower-gateway",
            "tower-hooks",
            "tower-kit",
            "tower-lint",
            "tower-origin",
            "tower-process",
            "tower-serve",
            "tower-static",
            "tower-upstream",
        ],
    ),
    ("tower-dispatch", &["tower-environ", "tower-kit"]),
    ("tower-environ", &["tower-kit"]),
    ("tower-error-document", &["tower-kit"]),
    ("tower-exception", &["tower-kit"]),
    (
        "tower-gateway",
        &["tower-environ", "tower-kit", "tower-origin"],
    ),
    ("tower-hooks", &["tower-kit"]),
    ("tower-kit", &[]),
    // It judges the others, so it has its own tables.
    ("tower-lint", &[]),
    ("tower-origin", &["tower-environ", "tower-kit"]),
    ("tower-process", &["tower-kit"]),
    ("tower-serve", &["tower-kit", "tower-origin"]),
    ("tower-static", &["tower-environ", "tower-kit"]),
    (
        "tower-upstream",
        &["tower-environ", "tower-kit", "tower-origin"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn crates(root: &Path) -> Vec<PathBuf> {
    let mut crates: Vec<_> = fs::read_dir(root.join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    crates.sort();
    crates
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn manifest(folder: &Path) -> toml::Table {
    read(folder.join("Cargo.toml")).parse().unwrap_or_default()
}

/// Every Rust file and every Markdown file below a folder, but for what is built.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let skipped = ["target", "vectors", ".git"].contains(&name(&path).as_str());
        if path.is_dir() && !skipped {
            found.extend(files(&path));
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "md")
        {
            found.push(path);
        }
    }
    found
}

fn manifests_inherit(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let others = ["benches", "examples", "tests", "tests/ascii"].map(|folder| root.join(folder));
    for folder in crates(root).into_iter().chain(others) {
        let (name, manifest) = (name(&folder), manifest(&folder));
        let inherits = |table: &toml::Table, key: &str| {
            let value = table.get(key).and_then(|value| value.get("workspace"));
            value.and_then(toml::Value::as_bool) == Some(true)
        };
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            wrong.push(format!(
                "{name}: write `[lints]` with `workspace = true` into its Cargo.toml"
            ));
        }
        let package = manifest.get("package").and_then(toml::Value::as_table);
        for key in ["edition", "license", "rust-version"] {
            if !package.is_some_and(|package| inherits(package, key)) {
                wrong.push(format!(
                    "{name}: write `{key}.workspace = true` into its Cargo.toml"
                ));
            }
        }
    }
    wrong
}

fn readme_is_the_crate_doc(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for folder in crates(root) {
        let (name, manifest) = (name(&folder), manifest(&folder));
        let readme = read(folder.join("README.md"));
        let mut lines = readme
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("# "));
        let first = lines.next().unwrap_or_default();
        let description = manifest
            .get("package")
            .and_then(|package| package.get("description"))
            .and_then(toml::Value::as_str);
        if description != Some(first) {
            wrong.push(format!(
                "{name}: let the first line of its README.md be its description, word for word"
            ));
        }
        let lines = readme.lines().count();
        if lines > 100 {
            wrong.push(format!(
                "{name}: its README.md has {lines} lines: at most 100"
            ));
        }
        let lib = read(folder.join("src/lib.rs"));
        if !lib.starts_with("#![doc = include_str!(\"../README.md\")]") {
            wrong.push(format!(
                "{name}: begin its src/lib.rs with `#![doc = include_str!(\"../README.md\")]`"
            ));
        }
        if !read(folder.join("CHANGELOG.md")).contains("## Unreleased") {
            wrong.push(format!(
                "{name}: give it a CHANGELOG.md with `## Unreleased` on top"
            ));
        }
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            if read(folder.join(licence)) != read(root.join(licence))
                || read(folder.join(licence)).is_empty()
            {
                wrong.push(format!("{name}: link {licence} to the one at the top"));
            }
        }
        let row = format!("| [`{name}`](crates/{name}) |");
        if !read(root.join("README.md")).contains(&row) {
            wrong.push(format!(
                "{name}: give it a row in the README.md at the top: {row}"
            ));
        }
    }
    wrong
}

fn contract_is_tested(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for folder in crates(root) {
        let (name, test) = (name(&folder), read(folder.join("tests/it/contract.rs")));
        if !test.contains("contract::check") {
            wrong.push(format!(
                "{name}: call tower_lint::contract::check in its tests/it/contract.rs"
            ));
        }
        // The words with which a test departs from a rule are documented for the user.
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let documents = ["README.md", "RULES.md"].map(|file| read(folder.join(file)));
        let documents = one_line(&documents.join("\n"));
        let words = test.split('"').skip(1).step_by(2).map(one_line);
        for words in words.filter(|words| test.contains(".departs(") && words.contains(' ')) {
            if !documents.contains(&words) {
                wrong.push(format!(
                    "{name}: a test departs with words that its README.md and RULES.md lack: {words}"
                ));
            }
        }
    }
    wrong
}

fn dependencies_are_listed(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for folder in crates(root) {
        let (name, manifest) = (name(&folder), manifest(&folder));
        let neighbours = NEIGHBOURS
            .iter()
            .find(|(of, _)| *of == name)
            .map(|(_, list)| *list);
        let Some(neighbours) = neighbours else {
            wrong.push(format!("{name}: say in NEIGHBOURS of tests/tidy.rs which crates of this workspace it may use"));
            continue;
        };
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for (dependency, value) in dependencies.into_iter().flatten() {
            // They are for extractors, the peer's address and errors of tower's layers: users
            // enable them by name.
            let optional = value.get("optional").and_then(toml::Value::as_bool) == Some(true);
            let listed = DEPENDENCIES.contains(&dependency.as_str())
                || optional && ["axum", "tonic", "tower"].contains(&dependency.as_str())
                || name == "tower-deploy" && OF_DEPLOY.contains(&dependency.as_str())
                || OF_SERVICES
                    .iter()
                    .any(|(of, list)| *of == name && list.contains(&dependency.as_str()));
            if !listed && !neighbours.contains(&dependency.as_str()) {
                wrong.push(format!("{name}: it depends on {dependency}, which is not in DEPENDENCIES of tests/tidy.rs: do without it, or add it there"));
            }
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                wrong.push(format!(
                    "{name}: write `{dependency}.workspace = true`, and its version at the top"
                ));
            }
        }
    }
    wrong
}

fn nothing_is_ignored(root: &Path) -> Vec<String> {
    // In parts, so that this file is none of those that it finds.
    let marks = ["ignore", "no_run", "text,ignore"].map(|mark| format!("```{mark}"));
    let attribute = format!("#[{}", "ignore");
    let mut wrong = Vec::new();
    for file in files(root) {
        for (number, line) in read(&file).lines().enumerate() {
            let line = line
                .trim_start()
                .trim_start_matches("//!")
                .trim_start_matches("///")
                .trim_start();
            let rust_mark = line.replace("```rust,", "```");
            if marks.iter().any(|mark| rust_mark.starts_with(mark)) || line.starts_with(&attribute)
            {
                let path = file.strip_prefix(root).unwrap_or(&file).display();
                wrong.push(format!("{path}:{}: let it run, or take it out", number + 1));
            }
        }
    }
    wrong
}

/// The README's Rust is that of examples, which are built and run, except for the words between.
const QUOTED: [(&str, usize, &str); 6] = [
    ("README.md", 0, "examples/axum/cascade.rs"),
    ("README.md", 1, "examples/site/stack.rs"),
    (GETTING_STARTED, 0, "examples/start/axum.rs"),
    (GETTING_STARTED, 1, "examples/start/tonic.rs"),
    (GETTING_STARTED, 2, "examples/start/hyper.rs"),
    (GETTING_STARTED, 3, "examples/start/lambda.rs"),
];

const GETTING_STARTED: &str = "docs/guides/getting-started.md";

/// Snippets that are not compiled where they stand, and why not.
const NOT_COMPILED: [(&str, &str, &str); 11] = [
    (
        "docs/error-documents.md",
        "ini nginx",
        "configurations, which `just error-documents` runs",
    ),
    (
        "docs/guides/error-responses.md",
        "ini",
        "a part of a file, whose settings tests/it/builtin/error_documents.rs of tower-deploy has",
    ),
    (
        "docs/guides/php.md",
        "ini",
        "loaded by tests/it/builtin/gateway.rs of tower-deploy",
    ),
    (
        "docs/guides/process.md",
        "ini",
        "loaded by tests/it/builtin/process.rs of tower-deploy",
    ),
    (
        "README.md",
        "sh",
        "the first two are run with these words by tests/serve.rs and tests/cli of tower-deploy, the third is what CI runs",
    ),
    (
        "crates/tower-deploy/README.md",
        "sh",
        "a list of commands, which its tests/cli, serve.rs and reload.rs run",
    ),
    (
        "docs/guides/python.md",
        "sh",
        "three commands, which `just python` runs",
    ),
    (
        "docs/hosting.md",
        "apache lighttpd nginx ini",
        "configurations, which `just hosting` runs, and settings, which tests/gateway.rs of tower-deploy has",
    ),
    (
        "docs/in-front.md",
        "ini nginx apache haproxy caddyfile lighttpd vcl squid",
        "configurations, which `just fronts recipes` runs",
    ),
    (
        "docs/node-and-php.md",
        "ini javascript php",
        "settings, which `just frameworks node-and-php` runs",
    ),
    (
        "docs/python.md",
        "ini python",
        "settings, which `just frameworks python` runs",
    ),
];

/// The snippets of a document: what kind it is, and what it says.
fn snippets(document: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(kind) => {
                inside = true;
                found.push((kind.to_owned(), String::new()));
            }
            None if inside => {
                let (_, text) = found.last_mut().unwrap();
                *text += line;
                text.push('\n');
            }
            None => {}
        }
    }
    found
}

fn snippets_are_compiled(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let documents = read(root.join("tests/documents.rs"));
    for file in files(root) {
        let path = file.strip_prefix(root).unwrap_or(&file);
        if path.extension().is_none_or(|end| end != "md") {
            continue;
        }
        let path = path.to_string_lossy().replace('\\', "/");
        let mut rust = 0;
        for (kind, text) in snippets(&read(&file)) {
            let listed = NOT_COMPILED
                .iter()
                .any(|(of, kinds, _)| *of == path && kinds.split(' ').any(|listed| listed == kind));
            // `readme_is_the_crate_doc` sees to those.
            let is_doc_test = path.starts_with("crates/") && path.ends_with("/README.md")
                || documents.contains(&format!("include_str!(\"../{path}\")"));
            let is_rust = kind.split(',').next() == Some("rust");
            if is_rust && is_doc_test || listed {
                continue;
            }
            let quoted = QUOTED
                .iter()
                .find(|(of, place, _)| is_rust && *of == path && *place == rust);
            rust += usize::from(is_rust);
            match quoted {
                Some((_, _, example)) => wrong.extend(differences(&path, &text, root, example)),
                None => wrong.push(format!(
                    "{path}: a snippet of {kind:?} that no test compiles: quote an example (QUOTED), make it a doc test (tests/documents.rs), or say why not (NOT_COMPILED)"
                )),
            }
        }
    }
    for (of, place, example) in QUOTED {
        let snippets = snippets(&read(root.join(of)));
        let rust = snippets.iter().filter(|(kind, _)| kind == "rust");
        if rust.count() <= place {
            wrong.push(format!("{of}: show {example}"));
        }
    }
    wrong
}

/// The lines that an example has not, or not in this order.
fn differences(path: &str, snippet: &str, root: &Path, example: &str) -> Vec<String> {
    let squeeze = |text: &str| {
        text.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
    };
    let text = squeeze(&read(root.join(example)));
    let mut wrong = Vec::new();
    let mut rest = text.as_str();
    for line in snippet.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let line = squeeze(line);
        // Arguments that the example has from its caller count by their beginning.
        let shortened = line
            .replace("(to_stderr))", "(")
            .replace("(not_found)", "(service_fn(not_found))");
        let found = [&line, &shortened].into_iter().find_map(|line| {
            // The example may spell a call over several lines.
            rest.split_once(line.trim_end_matches(')'))
        });
        match found {
            Some((_, after)) => rest = after,
            None => wrong.push(format!(
                "{path}: it has a line that {example} has not, or not there: {line}"
            )),
        }
    }
    wrong
}

/// Checks READMEs for crates.io, which shows them without rustdoc. rustdoc hides lines and resolves
/// the names of items.
fn readmes_are_whole_on_crates_io(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for folder in crates(root) {
        let (name, readme) = (name(&folder), read(folder.join("README.md")));
        let mut prose = String::new();
        let mut fence = None;
        for (number, line) in readme.lines().enumerate() {
            match line.trim_start().strip_prefix("```") {
                Some(_) if fence.is_some() => fence = None,
                Some(kind) => fence = Some(kind),
                None if fence.is_none() => prose += line,
                None => {
                    let hidden = line.trim() == "#" || line.trim_start().starts_with("# ");
                    if hidden && fence.is_some_and(|kind| kind.starts_with("rust")) {
                        wrong.push(format!(
                            "crates/{name}/README.md:{}: crates.io shows this line, which rustdoc hides: write the snippet without it: {line}",
                            number + 1
                        ));
                    }
                }
            }
            prose.push('\n');
        }
        let links = links(&prose);
        let defined = |text: &str| links.iter().any(|link| link.defines && link.text == text);
        for link in &links {
            let problem = match &link.target {
                Some(target) => leads_nowhere(&folder, &name, target),
                None if defined(&link.text) => None,
                None => Some("define it below (`[…]: https://docs.rs/…`), or remove the brackets"),
            };
            if let Some(problem) = problem {
                wrong.push(format!(
                    "crates/{name}/README.md:{}: on crates.io [{}] leads nowhere: {problem}",
                    link.line, link.text
                ));
            }
        }
    }
    wrong
}

/// Returns the fault of a link of a crate's README, if there is one.
fn leads_nowhere(folder: &Path, name: &str, target: &str) -> Option<&'static str> {
    let module = name.replace('-', "_");
    let ours = format!("https://docs.rs/{name}/latest/{module}/");
    if target.starts_with('#') {
        return None;
    }
    let Some(item) = target.strip_prefix(&ours) else {
        return (!target.starts_with("https://")).then_some("write the whole URL");
    };
    // `struct.Name.html#method.name`
    let (item, method) = item.split_once('#').unwrap_or((item, ""));
    let item = item.trim_end_matches(".html").replace('.', " ");
    let method = method.replace("method.", "fn ");
    let sources: String = files(&folder.join("src")).iter().map(read).collect();
    let is_declared = ["pub ", "pub async "]
        .iter()
        .any(|start| has_word(&sources, &format!("{start}{item}")));
    let found = is_declared && (method.is_empty() || has_word(&sources, &method));
    (!found).then_some("there is no such item")
}

fn has_word(text: &str, word: &str) -> bool {
    let continues = |after: &str| after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    text.match_indices(word)
        .any(|(at, _)| !continues(&text[at + word.len()..]))
}

/// A link in Markdown: `[text](target)`, `[text]: target`, or `[text]` alone.
struct Link {
    line: usize,
    text: String,
    target: Option<String>,
    defines: bool,
}

/// Returns the links of a text. Brackets within code spans are no links.
fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let (mut code, mut line, mut line_start) = (false, 1, true);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let starts = std::mem::replace(&mut line_start, c == '\n');
        line += usize::from(c == '\n');
        code ^= c == '`';
        if c != '[' || code {
            continue;
        }
        let mut in_code = false;
        let inside: String = rest
            .by_ref()
            .take_while(|&c| {
                in_code ^= c == '`';
                in_code || c != ']'
            })
            .collect();
        let starts_at = line;
        line += inside.matches('\n').count();
        let after = rest.as_str();
        let target = match after.chars().next() {
            Some('(') => after[1..].split(')').next(),
            Some(':') if starts => after[1..].lines().next(),
            _ => None,
        };
        found.push(Link {
            line: starts_at,
            target: target.map(|target| target.trim().to_owned()),
            defines: starts && after.starts_with(':'),
            text: inside,
        });
    }
    found
}

type Check = fn(&Path) -> Vec<String>;

const CHECKS: [Check; 12] = [
    manifests_inherit,
    readme_is_the_crate_doc,
    contract_is_tested,
    dependencies_are_listed,
    nothing_is_ignored,
    snippets_are_compiled,
    readmes_are_whole_on_crates_io,
    links_lead_somewhere,
    pages_are_in_the_book,
    words_are_plain,
    lines_are_narrow,
    rules_are_tested,
];

#[test]
fn the_tree_is_tidy() {
    let wrong: Vec<_> = CHECKS.iter().flat_map(|check| check(&root())).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// A small repository with one crate, as it should be, and then as a change makes it.
fn after(change: impl FnOnce(&Path)) -> Vec<String> {
    let root = std::env::temp_dir().join(format!(
        "tidy-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let _ = fs::remove_dir_all(&root);
    let folder = root.join("crates/tower-lint");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::create_dir_all(folder.join("tests/it")).unwrap();
    for folder in [
        "benches",
        "docs/guides",
        "examples/axum",
        "examples/site",
        "examples/start",
        "tests/ascii",
    ] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let inherits =
        "edition.workspace = true\nlicense.workspace = true\nrust-version.workspace = true\n";
    let lints = "[lints]\nworkspace = true\n";
    for package in ["benches", "examples", "tests", "tests/ascii"] {
        let manifest = format!("[package]\n{inherits}{lints}");
        fs::write(root.join(package).join("Cargo.toml"), manifest).unwrap();
    }
    let manifest = format!(
        "[package]\ndescription = \"One sentence.\"\n{inherits}\n[dependencies]\nhttp.workspace = true\n{lints}"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("README.md"), "One sentence.\n").unwrap();
    fs::write(folder.join("CHANGELOG.md"), "## Unreleased\n").unwrap();
    fs::write(
        folder.join("src/lib.rs"),
        "#![doc = include_str!(\"../README.md\")]\n",
    )
    .unwrap();
    fs::write(folder.join("tests/it/contract.rs"), "contract::check(…)").unwrap();
    fs::write(folder.join("RULES.md"), "- **LINT-1** One rule.\n").unwrap();
    fs::write(folder.join("tests/it/rules.rs"), "fn lint_1_is_one_rule").unwrap();
    for place in [&root, &folder] {
        fs::write(place.join("LICENSE-MIT"), "mit").unwrap();
        fs::write(place.join("LICENSE-APACHE"), "apache").unwrap();
    }
    let readme = "| [`tower-lint`](crates/tower-lint) | |\n```rust\n.layer(Alone)\n```\n```rust\n.layer(One)\n```\n";
    fs::write(root.join("README.md"), readme).unwrap();
    let snippets = QUOTED.map(|(of, _, example)| {
        let is_guide = of == GETTING_STARTED;
        if is_guide {
            fs::write(root.join(example), "run()").unwrap();
        }
        if is_guide {
            "```rust\nrun()\n```\n"
        } else {
            ""
        }
    });
    fs::write(root.join(GETTING_STARTED), snippets.concat()).unwrap();
    fs::write(
        root.join("docs/SUMMARY.md"),
        "- [Start](guides/getting-started.md)\n",
    )
    .unwrap();
    fs::write(root.join("examples/axum/cascade.rs"), ".layer(Alone)").unwrap();
    fs::write(root.join("examples/site/stack.rs"), ".layer(One)").unwrap();
    change(&root);
    let wrong = CHECKS.iter().flat_map(|check| check(&root)).collect();
    fs::remove_dir_all(&root).unwrap();
    wrong
}

/// Changes a file of the crate.
fn edit(root: &Path, file: &str, from: &str, to: &str) {
    let path = root.join("crates/tower-lint").join(file);
    let text = read(&path);
    assert!(text.contains(from));
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_tidy_tree_has_nothing_wrong() {
    assert_eq!(after(|_| {}), Vec::<String>::new());
}

#[test]
fn what_is_untidy_is_named_with_what_to_do() {
    let table: [(&str, &str, &str, &str); 8] = [
        (
            "Cargo.toml",
            "[lints]\nworkspace = true",
            "",
            "tower-lint: write `[lints]` with `workspace = true` into its Cargo.toml",
        ),
        (
            "Cargo.toml",
            "edition.workspace = true",
            "edition = \"2021\"",
            "tower-lint: write `edition.workspace = true` into its Cargo.toml",
        ),
        (
            "README.md",
            "One sentence.",
            "Another sentence.",
            "tower-lint: let the first line of its README.md be its description, word for word",
        ),
        (
            "Cargo.toml",
            "http.workspace = true",
            "http.workspace = true\ntokio.workspace = true",
            "tower-lint: it depends on tokio, which is not in DEPENDENCIES of tests/tidy.rs: do without it, or add it there",
        ),
        (
            "Cargo.toml",
            "http.workspace = true",
            "http = \"1\"",
            "tower-lint: write `http.workspace = true`, and its version at the top",
        ),
        (
            "tests/it/contract.rs",
            "contract::check(…)",
            "",
            "tower-lint: call tower_lint::contract::check in its tests/it/contract.rs",
        ),
        (
            "src/lib.rs",
            "#![doc = include_str!(\"../README.md\")]",
            "//! Docs.",
            "tower-lint: begin its src/lib.rs with `#![doc = include_str!(\"../README.md\")]`",
        ),
        (
            "LICENSE-MIT",
            "mit",
            "",
            "tower-lint: link LICENSE-MIT to the one at the top",
        ),
    ];
    for (file, from, to, expected) in table {
        let wrong = after(|root| edit(root, file, from, to));
        assert_eq!(wrong, [expected]);
    }
    let readme = |text: &str| {
        after(|root| {
            let text = format!("One sentence.\n\n{text}\n");
            fs::write(root.join("crates/tower-lint/README.md"), text).unwrap();
            let source = "#![doc = include_str!(\"../README.md\")]\npub struct Lint;\nimpl Lint {\n    pub fn new() {}\n}\n";
            fs::write(root.join("crates/tower-lint/src/lib.rs"), source).unwrap();
        })
    };
    let at = "crates/tower-lint/README.md:3: on crates.io";
    let undefined = "define it below (`[…]: https://docs.rs/…`), or remove the brackets";
    let docs = "https://docs.rs/tower-lint/latest/tower_lint";
    let table = [
        (
            "[`Lint`] is ours",
            format!("[`Lint`] leads nowhere: {undefined}"),
        ),
        (
            "see [its own `[x]`]",
            format!("[its own `[x]`] leads nowhere: {undefined}"),
        ),
        (
            "[new](crate::Lint::new)",
            "[new] leads nowhere: write the whole URL".to_owned(),
        ),
        (
            "[all](../all.md)",
            "[all] leads nowhere: write the whole URL".to_owned(),
        ),
        (
            "[`Lint`]: crate::Lint",
            "[`Lint`] leads nowhere: write the whole URL".to_owned(),
        ),
        (
            "[x](https://docs.rs/tower-lint/latest/tower_lint/struct.Lin.html)",
            "[x] leads nowhere: there is no such item".to_owned(),
        ),
        (
            "[x](https://docs.rs/tower-lint/latest/tower_lint/struct.Lint.html#method.old)",
            "[x] leads nowhere: there is no such item".to_owned(),
        ),
    ];
    for (text, expected) in table {
        assert_eq!(readme(text), [format!("{at} {expected}")]);
    }
    for text in [
        "## Rules\n\n`[x]` and `a [y]`, [site](https://example.org), [above](#rules)".to_owned(),
        format!(
            "[`Lint`], [new]({docs}/struct.Lint.html#method.new)\n\n[`Lint`]: {docs}/struct.Lint.html"
        ),
        "```rust\n#[derive(Clone)]\nstruct X([u8; 1]);\n```\n\n```sh\n# a comment\n```".to_owned(),
    ] {
        let wrong = readme(&text);
        assert!(
            wrong.iter().all(|line| line.contains("snippet of \"sh\"")),
            "{wrong:?}"
        );
    }
    assert_eq!(
        readme("```rust\nlet x = f()?;\n# Ok::<(), ()>(())\n```"),
        [
            "crates/tower-lint/README.md:5: crates.io shows this line, which rustdoc hides: write the snippet without it: # Ok::<(), ()>(())"
        ]
    );
    let ignored = after(|root| {
        let snippet = format!(
            "#![doc = include_str!(\"../README.md\")]\n/// ```{}\n",
            "ignore"
        );
        fs::write(root.join("crates/tower-lint/src/lib.rs"), snippet).unwrap();
    });
    assert_eq!(
        ignored,
        ["crates/tower-lint/src/lib.rs:2: let it run, or take it out"]
    );
    let stack =
        after(|root| fs::write(root.join("examples/site/stack.rs"), ".layer(Two)").unwrap());
    assert_eq!(
        stack,
        ["README.md: it has a line that examples/site/stack.rs has not, or not there: .layer(One)"]
    );
    let nothing = after(|root| {
        let readme = read(root.join("README.md")).replace("```rust\n.layer(One)\n```\n", "");
        fs::write(root.join("README.md"), readme).unwrap();
    });
    assert_eq!(nothing, ["README.md: show examples/site/stack.rs"]);
    let unknown = after(|root| fs::write(root.join("NEWS.md"), "```ini\na = b\n```\n").unwrap());
    assert_eq!(
        unknown,
        [
            "NEWS.md: a snippet of \"ini\" that no test compiles: quote an example (QUOTED), make it a doc test (tests/documents.rs), or say why not (NOT_COMPILED)"
        ]
    );
}

#[test]
fn a_link_that_leads_nowhere_is_named() {
    let document = |text: &str| after(|root| fs::write(root.join("NEWS.md"), text).unwrap());
    let table = [
        (
            "One\n\n[x](docs/none.md)",
            "NEWS.md:3: docs/none.md leads nowhere: there is no such file",
        ),
        (
            "![x](picture.png)",
            "NEWS.md:1: picture.png leads nowhere: there is no such file",
        ),
        (
            "[x]: none.md",
            "NEWS.md:1: none.md leads nowhere: there is no such file",
        ),
        (
            "# A heading\n[x](#another)",
            "NEWS.md:2: #another leads nowhere: there is no such heading",
        ),
        (
            "```sh\n# A heading\n```\n[x](README.md#a)",
            "NEWS.md:4: README.md#a leads nowhere: there is no such heading",
        ),
        (
            "[x](../)",
            "NEWS.md:1: ../ leads nowhere: it leads out of the repository",
        ),
    ];
    for (text, expected) in table {
        let mut wrong = document(text);
        wrong.retain(|line| !line.contains("a snippet of"));
        assert_eq!(wrong, [expected]);
    }
    for text in [
        "# A `heading`, here\n[x](#a-heading-here) [y](docs/guides/getting-started.md)",
        "## Twice\n## Twice\n[x](#twice) [y](#twice-1) [z](examples)",
        "`[x](none.md)` [site](https://example.org/none.md)",
    ] {
        assert_eq!(document(text), Vec::<String>::new());
    }
}

#[test]
fn a_page_outside_of_the_book_is_named() {
    let wrong = after(|root| fs::write(root.join("docs/guides/new.md"), "# New\n").unwrap());
    assert_eq!(
        wrong,
        ["docs/SUMMARY.md: give it a line for docs/guides/new.md"]
    );
}

#[test]
fn prose_and_rules_are_checked() {
    let document = |text: &str| after(|root| fs::write(root.join("NEWS.md"), text).unwrap());
    // In parts, so that this file has no such word itself.
    let actor = ["no", "body"].concat();
    assert_eq!(
        document(&format!("It is {actor}'s. Some\nbody and {actor}\n")),
        [format!("NEWS.md: 2 times \"{actor}\": name the actor"),]
    );
    let line = "word ".repeat(21);
    assert_eq!(document(&line), ["NEWS.md:1: 105 columns, not 100"]);
    let links = format!("{line} https://example.org");
    assert_eq!(document(&links), Vec::<String>::new());

    let rules = |text: &str| {
        let text = text.to_owned();
        after(|root| fs::write(root.join("crates/tower-lint/RULES.md"), text).unwrap())
    };
    assert_eq!(
        rules(""),
        ["tower-lint: write its rules into a RULES.md, each with an id"]
    );
    assert_eq!(
        rules("- **LINT-1** One.\n- **LINT-2** Two.\n"),
        ["tower-lint: no test begins with `lint_2_`: write one for the rule"]
    );
    let test = after(|root| {
        fs::write(
            root.join("crates/tower-lint/tests/it/more.rs"),
            "fn lint_2_x",
        )
        .unwrap();
    });
    assert_eq!(
        test,
        ["tower-lint: a test begins with `lint_2_`, but RULES.md has no such rule"]
    );
}
