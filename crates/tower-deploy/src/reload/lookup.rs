//! The paths that decide which file a name leads to.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// Linux follows as many before it reports a loop.
const MAX_LINKS: usize = 40;

/// Returns the directories in which a name is looked up on the way to a file, and the file itself.
///
/// The way is the system's own: each symbolic link is replaced by its target, which may have links
/// in it again. The returned paths have no links in them, so they do not change when a link is
/// switched. A name that is missing may come later, so its directory is among them too.
pub(super) fn paths(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut resolved = PathBuf::new();
    let mut left: Vec<OsString> = names(file);
    let mut links = 0;
    while let Some(name) = left.pop() {
        match Path::new(&name).components().next() {
            Some(Component::ParentDir) => {
                resolved.pop();
            }
            Some(Component::Normal(_)) => {
                found.insert(resolved.clone());
                let path = resolved.join(&name);
                match fs::read_link(&path) {
                    Ok(_) if links == MAX_LINKS => return found,
                    Ok(target) => {
                        links += 1;
                        left.extend(names(&target));
                    }
                    Err(_) => resolved = path,
                }
            }
            // A root starts from there. A prefix is a drive of Windows.
            Some(Component::RootDir | Component::Prefix(_)) => resolved.push(&name),
            Some(Component::CurDir) | None => {}
        }
    }
    found.insert(resolved);
    found
}

/// Returns the names in a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev();
    names.map(|name| name.as_os_str().to_owned()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn deploy_50_each_directory_of_a_lookup_is_found() {
        for (name, links, file, wanted) in [
            ("plain", &[][..], "a/b/f", &["", "a", "a/b", "a/b/f"][..]),
            ("dots", &[], "a/./b/../f", &["", "a", "a/f"]),
            ("missing", &[], "a/x/y", &["", "a", "a/x", "a/x/y"]),
            (
                "relative",
                &[("l", "a/b")],
                "l/f",
                &["", "a", "a/b", "a/b/f"],
            ),
            (
                "absolute",
                &[("c/l", "TOP/a")],
                "c/l/f",
                &["", "a", "a/f", "c"],
            ),
            (
                "parent",
                &[("c/l", "../a")],
                "c/l/f",
                &["", "a", "a/f", "c"],
            ),
            (
                "chain",
                &[("c/l", "../m"), ("m", "a/n"), ("a/n", "b")],
                "c/l/f",
                &["", "a", "a/b", "a/b/f", "c"],
            ),
            ("file", &[("c/f", "../a/g")], "c/f", &["", "a", "a/g", "c"]),
            (
                "broken",
                &[("l", "a/x/y")],
                "l/f",
                &["", "a", "a/x", "a/x/y", "a/x/y/f"],
            ),
            ("loop", &[("l", "c/m"), ("c/m", "../l")], "l/f", &["", "c"]),
        ] {
            let top = format!("tower-deploy-lookup-{name}-{}", std::process::id());
            let top = fs::canonicalize(std::env::temp_dir()).unwrap().join(top);
            for directory in ["a/b", "c"] {
                fs::create_dir_all(top.join(directory)).unwrap();
            }
            for (link, target) in links {
                let target = target.replace("TOP", top.to_str().unwrap());
                symlink(target, top.join(link)).unwrap();
            }
            let found = paths(&top.join(file));
            fs::remove_dir_all(&top).unwrap();
            // The directories above are on every way.
            let above = top.ancestors().skip(1).map(Path::to_owned);
            let wanted = wanted.iter().map(|path| match *path {
                "" => top.clone(),
                path => top.join(path),
            });
            assert_eq!(found, above.chain(wanted).collect(), "{name}");
        }
    }
}
