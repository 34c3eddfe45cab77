//! Paths, and the files that they lead to.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Returns whether a path may lead to a file that is served.
pub(crate) fn is_served(path: &str, dotfiles: bool, well_known: bool) -> bool {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    segments.enumerate().all(|(index, segment)| {
        let Ok(segment) = percent_decode_str(segment).decode_utf8() else {
            return false;
        };
        let is_well_known = well_known && index == 0 && segment == ".well-known";
        let is_dotfile = segment.starts_with('.') && !dotfiles && !is_well_known;
        // One segment here must not be several to the file system, a parent, or a drive.
        let is_name = |component| matches!(component, Component::Normal(_));
        !is_dotfile
            && !segment.contains(['/', '\\', '\0'])
            && Path::new(&*segment).components().all(is_name)
    })
}

/// Returns the file that a path leads to, if [`is_served`] has approved of the path.
pub(crate) fn file_below(root: &Path, path: &str) -> PathBuf {
    let path = percent_decode_str(path).decode_utf8_lossy();
    // With a slash at its start it would replace the root.
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_1_a_segment_is_one_name() {
        for (path, expected) in [
            ("", true),
            ("/", true),
            ("//", true),
            ("/a%20b/c.txt", true),
            ("/..", false),
            ("/%2e%2e", false),
            ("/.", false),
            ("/a%2fb", false),
            ("/a%5cb", false),
            ("/a%00", false),
            ("/%ff", false),
        ] {
            assert_eq!(is_served(path, true, true), expected, "{path}");
        }
    }

    #[test]
    fn static_2_dotfiles_and_well_known_are_opt_in() {
        for (path, [neither, well_known, dotfiles]) in [
            ("/.env", [false, false, true]),
            ("/a/.git/b", [false, false, true]),
            ("/.well-known/x", [false, true, true]),
            ("/.well-known/.x", [false, false, true]),
            ("/a/.well-known/x", [false, false, true]),
            ("/.well-knownx", [false, false, true]),
        ] {
            assert_eq!(is_served(path, false, false), neither, "{path}");
            assert_eq!(is_served(path, false, true), well_known, "{path}");
            assert_eq!(is_served(path, true, false), dotfiles, "{path}");
        }
    }
}
