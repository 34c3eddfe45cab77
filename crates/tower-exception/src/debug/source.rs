//! The source lines around a location.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// The number of lines that are shown before and after the one in question.
const AROUND: usize = 5;
/// The number of characters of a line that are shown.
const WIDEST: usize = 300;

/// A line's number and text.
pub(super) type Line = (usize, String);

/// Returns the lines around one, if the file is Rust and below the root.
pub(super) fn around(root: Option<&Path>, file: &Path, line: usize) -> Option<Vec<Line>> {
    let text = fs::read_to_string(below(root?, file)?).ok()?;
    let first = line.saturating_sub(AROUND).max(1);
    let lines = text.lines().enumerate().map(|(at, text)| (at + 1, text));
    let around: Vec<Line> = lines
        .skip(first - 1)
        .take_while(|(number, _)| *number <= line + AROUND)
        .map(|(number, text)| (number, text.chars().take(WIDEST).collect()))
        .collect();
    around
        .iter()
        .any(|(number, _)| *number == line)
        .then_some(around)
}

/// Returns a file's path as it is shown, relative to the root if it is below it.
pub(super) fn shown<'a>(root: Option<&Path>, file: &'a Path) -> Cow<'a, str> {
    let below = root.and_then(|root| file.strip_prefix(root).ok());
    below.unwrap_or(file).to_string_lossy()
}

fn below(root: &Path, file: &Path) -> Option<PathBuf> {
    let root = root.canonicalize().ok()?;
    // A relative name is relative to the compiler's directory, which may be a parent of the root.
    let mut names = file.components();
    let file = loop {
        match root.join(names.as_path()).canonicalize() {
            Ok(file) => break file,
            Err(_) if file.is_relative() => names.next()?,
            Err(_) => return None,
        };
    };
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let metadata = fs::metadata(&file).ok()?;
    let readable = metadata.is_file() && metadata.len() <= LARGEST;
    (is_rust && readable && file.starts_with(&root)).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exception_17_only_rust_below_the_root_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let here = Path::new("src/debug/source.rs");
        let lines = around(Some(root), here, 1).unwrap();
        assert_eq!(lines.len(), 6);
        assert_eq!(
            lines[0],
            (1, "//! The source lines around a location.".to_owned())
        );
        assert!(around(Some(root), &root.join(here), 8).is_some());
        let from_a_parent = Path::new("crates/tower-exception/src/debug/source.rs");
        assert!(around(Some(root), from_a_parent, 8).is_some());
        for file in [
            "Cargo.toml",
            "/etc/passwd",
            "src/nowhere.rs",
            "src",
            "../tower-lint/src/lib.rs",
            // Only a relative name may be relative to a parent.
            "/nowhere/src/lib.rs",
        ] {
            assert_eq!(around(Some(root), Path::new(file), 1), None, "{file}");
        }
        assert_eq!(around(Some(root), here, 100_000), None);
        assert_eq!(around(Some(root), here, 0), None);
        assert_eq!(around(Some(&root.join("tests")), &root.join(here), 1), None);
        assert_eq!(around(None, here, 1), None);
    }

    #[test]
    fn exception_17_large_files_and_directories_are_not_read() {
        let name = format!("tower-exception-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join("directory.rs")).unwrap();
        let most = 1024 * 1024;
        fs::write(root.join("most.rs"), vec![b'\n'; most]).unwrap();
        fs::write(root.join("large.rs"), vec![b'\n'; most + 1]).unwrap();
        let read = |name| around(Some(&root), Path::new(name), 1).is_some();
        let seen = ["most.rs", "large.rs", "directory.rs"].map(read);
        // Five lines before the one in question, five after it, and 300 characters of each.
        let text = format!("{}\n", "a".repeat(301)).repeat(20);
        fs::write(root.join("wide.rs"), text).unwrap();
        let lines = around(Some(&root), Path::new("wide.rs"), 10).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(seen, [true, false, false]);
        let numbers: Vec<usize> = lines.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (5..=15).collect::<Vec<_>>());
        assert!(lines.iter().all(|(_, text)| text.len() == 300));
    }

    #[test]
    fn exception_17_a_path_is_shown_relative_to_the_root() {
        let root = Some(Path::new("/app"));
        for (root, file, expected) in [
            (root, "/app/src/main.rs", "src/main.rs"),
            (root, "/other/main.rs", "/other/main.rs"),
            (None, "/app/src/main.rs", "/app/src/main.rs"),
        ] {
            assert_eq!(shown(root, Path::new(file)), expected);
        }
    }
}
