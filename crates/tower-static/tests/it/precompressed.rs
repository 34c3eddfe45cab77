//! Compressed variants that lie beside their files.

use std::fs;

use bytes::Bytes;
use http::{Method, Request, Response};
use tower_static::{Coding, Files};

use super::{Directory, ask, get, header};

const PLAIN: &str = "let plain = 'the plain file';";
const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

/// Returns a site with a file in four forms. No test looks into them, so they are texts.
fn site(name: &str) -> (Directory, Files) {
    let files = [
        ("www/a.js", PLAIN),
        ("www/a.js.br", "brotli"),
        ("www/a.js.zst", "zstandard"),
        ("www/a.js.gz", "gzip's"),
        ("www/b.js", PLAIN),
        ("www/only.js.gz", "gzip"),
    ];
    let directory = Directory::new(name, &files);
    for (path, _) in files {
        directory.set_time(path, 1_600_000_000);
    }
    let files = directory.files().precompressed(ALL);
    (directory, files)
}

async fn send(
    files: &Files,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(files, request).await
}

async fn accept(files: &Files, path: &str, codings: &str) -> Response<Bytes> {
    send(files, &Method::GET, path, &[("accept-encoding", codings)]).await
}

#[tokio::test]
async fn static_13_the_client_gets_the_variant_that_it_takes() {
    let (_directory, files) = site("variants");
    for (path, codings, body, coding) in [
        ("/a.js", "", PLAIN, None),
        ("/a.js", "gzip, deflate, br, zstd", "brotli", Some("br")),
        ("/a.js", "gzip, zstd;q=0.9", "gzip's", Some("gzip")),
        ("/a.js", "zstd", "zstandard", Some("zstd")),
        ("/a.js", "br;q=0, x-gzip", "gzip's", Some("gzip")),
        ("/a.js", "deflate", PLAIN, None),
        ("/a.js", "identity;q=0", PLAIN, None),
        ("/a.js", "*;q=0", PLAIN, None),
        ("/b.js", "gzip, br", PLAIN, None),
    ] {
        let response = accept(&files, path, codings).await;
        assert_eq!(response.status(), 200, "{path} {codings}");
        assert_eq!(response.body(), body, "{path} {codings}");
        assert_eq!(header(&response, "content-encoding"), coding, "{codings}");
        let length = body.len().to_string();
        assert_eq!(header(&response, "content-length"), Some(&*length));
        // The type is that of the plain file, also where the bytes are no text.
        let kind = "text/javascript; charset=utf-8";
        assert_eq!(header(&response, "content-type"), Some(kind));
        assert_eq!(header(&response, "vary"), Some("accept-encoding"));
        let headers = [("accept-encoding", codings)];
        let head = send(&files, &Method::HEAD, path, &headers).await;
        assert_eq!(head.headers(), response.headers(), "{path} {codings}");
    }
    // The file has to be there itself.
    assert_eq!(accept(&files, "/only.js", "gzip").await.status(), 404);
}

#[tokio::test]
async fn static_13_a_variant_has_its_own_tag_and_ranges() {
    let (directory, files) = site("variant-tags");
    let mut tags = Vec::new();
    // Large files are not hashed: the second time the tags are made of times.
    for fraction in [false, true] {
        if fraction {
            for name in ["a.js", "a.js.br", "a.js.zst", "a.js.gz"] {
                let file = directory.0.join("www").join(name);
                let file = fs::File::options().write(true).open(file).unwrap();
                let time = std::time::Duration::from_millis(1_600_000_000_500);
                file.set_modified(std::time::SystemTime::UNIX_EPOCH + time)
                    .unwrap();
            }
        }
        for codings in ["", "br", "zstd", "gzip"] {
            let response = accept(&files, "/a.js", codings).await;
            tags.push(header(&response, "etag").unwrap().to_owned());
            let etag = &**tags.last().unwrap();
            let with = async |name, value| {
                let headers = [("accept-encoding", codings), (name, value)];
                send(&files, &Method::GET, "/a.js", &headers).await
            };
            let known = with("if-none-match", etag).await;
            assert_eq!(known.status(), 304, "{codings}");
            assert_eq!(header(&known, "etag"), Some(etag), "{codings}");
            assert_eq!(header(&known, "vary"), Some("accept-encoding"));
            assert_eq!(header(&known, "content-encoding"), None);
            let part = with("range", "bytes=1-3").await;
            assert_eq!(part.status(), 206, "{codings}");
            assert_eq!(part.body(), &response.body()[1..4], "{codings}");
            assert_eq!(header(&part, "etag"), Some(etag), "{codings}");
            assert_eq!(header(&part, "vary"), Some("accept-encoding"));
            let coding = header(&response, "content-encoding");
            assert_eq!(header(&part, "content-encoding"), coding);
        }
    }
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count, "{tags:?}");
    // The rest of another form is none.
    let plain = get(&files, "/a.js").await.headers()["etag"].clone();
    let headers = [
        ("accept-encoding", "gzip"),
        ("range", "bytes=1-3"),
        ("if-range", plain.to_str().unwrap()),
    ];
    let whole = send(&files, &Method::GET, "/a.js", &headers).await;
    assert_eq!(
        (whole.status().as_u16(), &**whole.body()),
        (200, &b"gzip's"[..])
    );
}

#[tokio::test]
async fn static_13_an_older_variant_is_not_sent() {
    let (directory, files) = site("old-variant");
    directory.set_time("www/a.js", 1_600_000_001);
    assert_eq!(accept(&files, "/a.js", "br, gzip").await.body(), PLAIN);
    directory.set_time("www/a.js.gz", 1_600_000_001);
    assert_eq!(accept(&files, "/a.js", "br, gzip").await.body(), "gzip's");
}

#[tokio::test]
async fn static_13_variants_are_files_that_are_served() {
    let (directory, files) = site("hidden-variant");
    let hidden = directory.0.join("www/a.js.br");
    let files = files.hidden([&hidden]);
    fs::create_dir(directory.0.join("www/b.js.gz")).unwrap();
    assert_eq!(accept(&files, "/a.js", "br").await.body(), PLAIN);
    assert_eq!(accept(&files, "/a.js", "br, gzip").await.body(), "gzip's");
    assert_eq!(accept(&files, "/b.js", "gzip").await.body(), PLAIN);
}

#[tokio::test]
async fn static_13_without_the_option_no_variant_is_looked_up() {
    let (directory, files) = site("no-variant");
    let plain = accept(&directory.files(), "/a.js", "br, gzip").await;
    assert_eq!(plain.body(), PLAIN);
    assert_eq!(header(&plain, "vary"), None);
    // A variant that is requested by its own name is a file like all others.
    for files in [directory.files(), files] {
        let response = accept(&files, "/a.js.gz", "gzip").await;
        assert_eq!(response.body(), "gzip's");
        assert_eq!(header(&response, "content-type"), Some("application/gzip"));
        assert_eq!(header(&response, "content-encoding"), None);
    }
}
