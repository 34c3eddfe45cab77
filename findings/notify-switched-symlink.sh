#!/usr/bin/env bash
# Expected: a watch on `site.ini` fires when its text becomes another one, also if the file is a
#   link through a link to a directory that a deployment switches, as Kubernetes does for
#   mounted ConfigMaps.
# Happens: inotify watches the file that the path led to at the time. Neither a watch on the
#   file nor one on the linked directory fires when the link is switched, nor for later writes
#   to the new file. A watch on the directory that holds the link fires with the link's name,
#   not with `site.ini`.
# Package: notify 8.2.1 (crates.io) with inotify.
# Guess: no event on the file; on the directory, an event for the link alone. Right.
# Here: tower-deploy follows each link of the path, watches all directories on the way, and
#   compares contents.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir src
cat > Cargo.toml <<'EOF'
[package]
name = "finding-notify-switched-symlink"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
notify = "=8.2.1"
EOF
cat > src/main.rs <<'EOF'
use notify::{recommended_watcher, Event, RecursiveMode, Watcher};
use std::os::unix::fs::symlink;
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};
use std::{env, fs, path::Path};

/// The names in all events that are more than a look at a file.
fn names(events: &Receiver<notify::Result<Event>>) -> Vec<String> {
    let end = Instant::now() + Duration::from_millis(700);
    let mut names = Vec::new();
    while let Ok(event) = events.recv_timeout(end.saturating_duration_since(Instant::now())) {
        let event = event.unwrap();
        if !event.kind.is_access() {
            names.extend(event.paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()));
        }
    }
    names.sort();
    names.dedup();
    names
}

fn main() {
    for (number, watched) in ["site.ini", "data", "."].into_iter().enumerate() {
        let directory = env::current_dir().unwrap().join(format!("watch{number}"));
        let at = |path: &str| directory.join(path);
        for version in ["v1", "v2"] {
            fs::create_dir_all(at(version)).unwrap();
            fs::write(at(version).join("site.ini"), version).unwrap();
        }
        symlink("v1", at("data")).unwrap();
        symlink("data/site.ini", at("site.ini")).unwrap();
        let (send, events) = channel();
        let mut watcher = recommended_watcher(send).unwrap();
        let path = if watched == "." { directory.clone() } else { at(watched) };
        watcher.watch(Path::new(&path), RecursiveMode::NonRecursive).unwrap();

        symlink("v2", at("next")).unwrap();
        fs::rename(at("next"), at("data")).unwrap();
        println!("watched {watched}: switch: {:?}, reads {}", names(&events), fs::read_to_string(at("site.ini")).unwrap());
        fs::write(at("v2/site.ini"), "v3").unwrap();
        println!("watched {watched}: later write: {:?}", names(&events));
    }
}
EOF

cat > want <<'EOF'
watched site.ini: switch: [], reads v2
watched site.ini: later write: []
watched data: switch: [], reads v2
watched data: later write: []
watched .: switch: ["data", "next"], reads v2
watched .: later write: []
EOF

"${CARGO:-cargo}" run --quiet > got
grep -A 1 -E '^name = "(notify)"$' Cargo.lock | grep -v '^--' | paste - -
cat got
if ! diff -u want got; then
  echo "notify-switched-symlink: the behaviour has changed" >&2
  exit 1
fi
echo "notify-switched-symlink: as expected"
