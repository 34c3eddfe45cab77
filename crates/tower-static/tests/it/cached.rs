//! The cache of contents: what is served right after a file has changed.

#![cfg(unix)]

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
    time::{Duration, SystemTime},
};

use http::{Method, Request};
use tower_static::{Coding, Files};

use super::{Directory, ask, get, header};

impl Directory {
    /// Waits until all files and directories in it are old enough to be kept.
    fn settle(&self) {
        let mut paths = vec![self.0.clone()];
        while let Some(path) = paths.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let changed = Duration::new(metadata.ctime() as u64, metadata.ctime_nsec() as u32);
            let old = SystemTime::UNIX_EPOCH + changed + Duration::from_millis(2001);
            // No clock of the test makes a file older.
            thread::sleep(old.duration_since(SystemTime::now()).unwrap_or_default());
            if metadata.is_dir() {
                let entries = fs::read_dir(path).unwrap();
                paths.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
    }
}

/// Returns how often this thread has read, or `None` where the system does not count that.
fn reads() -> Option<u64> {
    let counters = fs::read_to_string("/proc/thread-self/io").ok()?;
    let mut lines = counters.lines();
    lines.find_map(|line| line.strip_prefix("syscr: ")?.parse().ok())
}

/// Returns how often a request has the file read.
async fn reads_of(files: &Files) -> u64 {
    let Some(before) = reads() else {
        return 0;
    };
    assert_eq!(get(files, "/a.txt").await.body(), "old");
    let (after, again) = (reads().unwrap(), reads().unwrap());
    // To look at the counter reads, too.
    after - before - (again - after)
}

type Change = fn(&Directory);

/// What happens to the file `www/a.txt`, whose content is `old`, before it is kept and after, and
/// the status and the body of the next response.
const CHANGES: [(&str, Change, Change, u16, &str); 13] = [
    ("nothing", |_| {}, |_| {}, 200, "old"),
    (
        "replaced",
        |_| {},
        |site| fs::rename(site.0.join("other.txt"), site.0.join("www/a.txt")).unwrap(),
        200,
        "new",
    ),
    (
        "rewritten",
        |_| {},
        |site| site.write("www/a.txt", b"new"),
        200,
        "new",
    ),
    (
        "rewritten, with its time",
        |site| site.set_time("www/a.txt", 1_600_000_000),
        |site| {
            site.write("www/a.txt", b"new");
            site.set_time("www/a.txt", 1_600_000_000);
        },
        200,
        "new",
    ),
    (
        "grown",
        |_| {},
        |site| {
            let file = File::options().append(true).open(site.0.join("www/a.txt"));
            file.unwrap().write_all(b"er").unwrap();
        },
        200,
        "older",
    ),
    (
        "shortened",
        |_| {},
        |site| {
            let file = File::options().write(true).open(site.0.join("www/a.txt"));
            file.unwrap().set_len(2).unwrap();
        },
        200,
        "ol",
    ),
    (
        "removed",
        |_| {},
        |site| fs::remove_file(site.0.join("www/a.txt")).unwrap(),
        404,
        "404 Not Found\n",
    ),
    (
        "a directory",
        |_| {},
        |site| {
            fs::remove_file(site.0.join("www/a.txt")).unwrap();
            fs::create_dir(site.0.join("www/a.txt")).unwrap();
        },
        307,
        "",
    ),
    (
        "another link",
        |site| {
            let path = site.0.join("www/a.txt");
            fs::rename(&path, site.0.join("old.txt")).unwrap();
            symlink("../old.txt", path).unwrap();
        },
        |site| {
            symlink("../other.txt", site.0.join("link")).unwrap();
            fs::rename(site.0.join("link"), site.0.join("www/a.txt")).unwrap();
        },
        200,
        "new",
    ),
    (
        "another directory",
        |site| {
            fs::rename(site.0.join("www"), site.0.join("old")).unwrap();
            symlink("old", site.0.join("www")).unwrap();
            site.write("next/a.txt", b"new");
        },
        |site| {
            symlink("next", site.0.join("link")).unwrap();
            fs::rename(site.0.join("link"), site.0.join("www")).unwrap();
        },
        200,
        "new",
    ),
    (
        "hidden by a link",
        |_| {},
        |site| symlink("www/a.txt", site.0.join("hidden")).unwrap(),
        404,
        "404 Not Found\n",
    ),
    (
        "without permission",
        |_| {},
        |site| permit(site, "www/a.txt", 0o000),
        403,
        "403 Forbidden\n",
    ),
    (
        "in a directory without permission",
        |_| {},
        |site| permit(site, "www", 0o000),
        403,
        "403 Forbidden\n",
    ),
];

fn permit(site: &Directory, path: &str, mode: u32) {
    let mode = Permissions::from_mode(mode);
    fs::set_permissions(site.0.join(path), mode).unwrap();
}

#[tokio::test]
async fn static_15_the_next_response_is_of_the_changed_file() {
    let sites: Vec<_> = CHANGES
        .iter()
        .enumerate()
        .map(|(index, (_, prepare, ..))| {
            let files = [("www/a.txt", "old"), ("other.txt", "new")];
            let site = Directory::new(&format!("cached-{index}"), &files);
            prepare(&site);
            site
        })
        .collect();
    for ((name, _, change, status, body), site) in CHANGES.iter().zip(&sites) {
        site.settle();
        let files = site.files().hidden([site.0.join("hidden")]);
        for _ in 0..2 {
            assert_eq!(get(&files, "/a.txt").await.body(), "old", "{name}");
        }
        assert_eq!(reads_of(&files).await, 0, "{name}: it is kept");
        change(site);
        let response = get(&files, "/a.txt").await;
        // Root may read every file.
        let may_read = *status == 403 && File::open(site.0.join("www/a.txt")).is_ok();
        let expected = if may_read {
            (200, "old")
        } else {
            (*status, *body)
        };
        let found = (response.status().as_u16(), &**response.body());
        assert_eq!(found, (expected.0, expected.1.as_bytes()), "{name}");
        permit(site, "www", 0o755);
    }
}

/// Two versions of one size can have the same times if they are made within a tick of the clock.
#[tokio::test]
async fn static_15_a_file_that_changes_all_the_time_is_right() {
    let site = Directory::new("busy", &[("www/a.txt", "000")]);
    let files = site.files();
    for version in 0..999 {
        let expected = format!("{version:03}");
        site.write("www/a.txt", expected.as_bytes());
        for _ in 0..2 {
            assert_eq!(get(&files, "/a.txt").await.body(), &expected);
        }
    }
}

/// A writer switches a link through versions that may be kept, and readers know how far it is.
#[tokio::test]
async fn static_15_no_response_mixes_versions() {
    const VERSIONS: usize = 60;
    let name = |version: usize| format!("version-{version:02}.txt");
    let site = Directory::new("versions", &[]);
    for version in 0..VERSIONS {
        // All have one size. Each has a tag of its own.
        let content = format!("{version:02}\n").repeat(30_000);
        site.write(&name(version), content.as_bytes());
        let time =
            SystemTime::UNIX_EPOCH + Duration::from_millis(1_600_000_000_001 + version as u64);
        let file = File::options().write(true).open(site.0.join(name(version)));
        file.unwrap().set_modified(time).unwrap();
    }
    let link = |version: usize| {
        symlink(site.0.join(name(version)), site.0.join("link")).unwrap();
        fs::rename(site.0.join("link"), site.0.join("www/a.txt")).unwrap();
    };
    link(0);
    site.settle();
    let files = site.files();
    let (current, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let read = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut seen = vec![None; VERSIONS];
        while !is_over.load(SeqCst) {
            let least = current.load(SeqCst);
            let response = runtime.block_on(get(&files, "/a.txt"));
            let text = std::str::from_utf8(response.body()).unwrap();
            let version: usize = text[..2].parse().unwrap();
            assert_eq!(text, format!("{version:02}\n").repeat(30_000));
            let most = current.load(SeqCst) + 1;
            assert!(
                (least..=most).contains(&version),
                "{least} {version} {most}"
            );
            let tag = header(&response, "etag").unwrap().to_owned();
            let known = seen[version].get_or_insert_with(|| tag.clone());
            assert_eq!(*known, tag);
        }
        seen
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for version in 1..VERSIONS {
            link(version);
            current.store(version, SeqCst);
            thread::sleep(Duration::from_millis(5));
        }
        is_over.store(true, SeqCst);
        let [one, two] = readers.map(|reader| reader.join().unwrap());
        let mut tags: Vec<_> = one
            .into_iter()
            .zip(two)
            .flat_map(|(one, two)| one.or(two))
            .collect();
        let count = tags.len();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), count, "{tags:?}");
        assert!(count > VERSIONS / 2, "{count}");
    });
}

#[tokio::test]
async fn static_15_what_is_kept_is_sent_as_from_the_disk() {
    let large = "<p>\u{fc}\n".repeat(50_000);
    let written = [
        ("www/a.txt", "old"),
        ("www/a.txt.gz", "gzip's"),
        ("www/b.html", &*large),
        ("www/empty.css", ""),
    ];
    let site = Directory::new("kept", &written);
    site.set_time("www/empty.css", 1);
    site.settle();
    let [kept, read] = [16 << 20, 0].map(|bytes| {
        let files = site.files().max_age(Duration::from_secs(60));
        files.precompressed([Coding::Gzip]).content_cache(bytes)
    });
    let date = get(&read, "/a.txt").await.headers()["last-modified"].clone();
    let tag = get(&read, "/b.html").await.headers()["etag"].clone();
    for path in [
        "/a.txt",
        "/a.txt.gz",
        "/b.html",
        "/empty.css",
        "/nowhere",
        "/",
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            for (name, value) in [
                ("accept", "text/plain"),
                ("accept-encoding", "gzip"),
                ("range", "bytes=1-2"),
                ("range", "bytes=70000-"),
                ("if-none-match", tag.to_str().unwrap()),
                ("if-match", tag.to_str().unwrap()),
                ("if-modified-since", date.to_str().unwrap()),
            ] {
                let request = || Request::builder().method(&method).uri(path);
                let expected = ask(&read, request().header(name, value)).await;
                // The second time it is kept, except for what is rejected.
                for _ in 0..2 {
                    let found = ask(&kept, request().header(name, value)).await;
                    assert_eq!(found.status(), expected.status(), "{method} {path} {name}");
                    assert_eq!(
                        found.headers(),
                        expected.headers(),
                        "{method} {path} {name}"
                    );
                    assert_eq!(found.body(), expected.body(), "{method} {path} {name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn static_15_the_cache_can_be_switched_off() {
    if reads().is_none() {
        eprintln!("the system does not count what a thread reads");
        return;
    }
    let site = Directory::new("uncached", &[("www/a.txt", "old")]);
    site.settle();
    for (bytes, expected) in [(0, 1), (2, 1), (3, 0)] {
        let files = site.files().content_cache(bytes);
        get(&files, "/a.txt").await;
        assert_eq!(reads_of(&files).await, expected, "{bytes}");
    }
}

#[tokio::test]
async fn static_15_services_with_other_options_share_nothing() {
    let site = Directory::new("options", &[("www/a.txt", "old")]);
    site.settle();
    let files = site.files();
    assert_eq!(get(&files, "/a.txt").await.body(), "old");
    let (same, other) = (files.clone(), files.clone().without_charset());
    for (files, expected) in [
        (same, "text/plain; charset=utf-8"),
        (other, "text/plain"),
        (files, "text/plain; charset=utf-8"),
    ] {
        let response = get(&files, "/a.txt").await;
        assert_eq!(header(&response, "content-type"), Some(expected));
    }
}
