//! Conditions and ranges (RFC 9110, sections 13 and 14).

use std::{fs, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use tower_static::{Coding, Files};

use super::{Directory, ask, get, header};

const TEXT: &str = "0123456789ab";
/// Its time, as dates have it.
const DATE: &str = "Sun, 13 Sep 2020 12:26:40 GMT";
const EARLIER: &str = "Sun, 13 Sep 2020 12:26:39 GMT";
const LATER: &str = "Sun, 13 Sep 2020 12:26:41 GMT";

/// Returns a site with a file of 12 bytes and an empty one, from 2020.
fn site(name: &str) -> (Directory, Files) {
    let directory = Directory::new(name, &[("www/a.txt", TEXT), ("www/empty.txt", "")]);
    for file in ["www/a.txt", "www/empty.txt"] {
        directory.set_time(file, 1_600_000_000);
    }
    let files = directory.files();
    (directory, files)
}

async fn send(
    app: &Files,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    ask(app, request).await
}

#[tokio::test]
async fn static_4_a_range_of_another_version_is_the_whole_file() {
    let (directory, app) = site("if-range");
    let etag = get(&app, "/a.txt").await.headers()["etag"].clone();
    let etag = etag.to_str().unwrap();
    let weak = format!("W/{etag}");
    for (if_range, status, why) in [
        (etag, 206, "the file's own tag"),
        (DATE, 206, "the file's own date"),
        ("Sunday, 13-Sep-20 12:26:40 GMT", 206, "the same, as of old"),
        ("\"other\"", 200, "another version's tag"),
        (&weak, 200, "a weak tag says nothing of bytes"),
        (EARLIER, 200, "another date"),
        (LATER, 200, "dates are compared for equality"),
        (etag.trim_matches('"'), 200, "no tag and no date"),
        ("", 200, "nothing"),
    ] {
        let headers = [("range", "bytes=4-6"), ("if-range", if_range)];
        let response = send(&app, &Method::GET, "/a.txt", &headers).await;
        assert_eq!(response.status(), status, "{why}");
        let body = if status == 206 { "456" } else { TEXT };
        assert_eq!(response.body(), body, "{why}");
        assert_eq!(header(&response, "etag"), Some(etag), "{why}");
    }
    // A new file has the date of now, which another one of this second has, too.
    fs::write(directory.0.join("www/a.txt"), TEXT).unwrap();
    let date = get(&app, "/a.txt").await.headers()["last-modified"].clone();
    let headers = [("range", "bytes=4-6"), ("if-range", date.to_str().unwrap())];
    let response = send(&app, &Method::GET, "/a.txt", &headers).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn static_4_a_range_is_a_part_of_the_file() {
    let (_directory, app) = site("ranges");
    for (path, method, range, status, content_range, body, why) in [
        (
            "/a.txt",
            Method::GET,
            "bytes=4-6",
            206,
            Some("bytes 4-6/12"),
            "456",
            "",
        ),
        (
            "/a.txt",
            Method::GET,
            "bytes=-50",
            206,
            Some("bytes 0-11/12"),
            TEXT,
            "a long suffix is the whole",
        ),
        (
            "/a.txt",
            Method::GET,
            "BYTES=0-0",
            206,
            Some("bytes 0-0/12"),
            "0",
            "units have no case",
        ),
        (
            "/a.txt",
            Method::GET,
            "bytes=12-",
            416,
            Some("bytes */12"),
            "416 Range Not Satisfiable\n",
            "there is no such part",
        ),
        (
            "/a.txt",
            Method::GET,
            "bytes=-0",
            416,
            Some("bytes */12"),
            "416 Range Not Satisfiable\n",
            "no bytes are no part",
        ),
        (
            "/a.txt",
            Method::GET,
            "items=0-0",
            200,
            None,
            TEXT,
            "an unknown unit",
        ),
        (
            "/a.txt",
            Method::GET,
            "bytes=0-0,2-2",
            200,
            None,
            TEXT,
            "several parts",
        ),
        (
            "/a.txt",
            Method::GET,
            "bytes=5-2",
            200,
            None,
            TEXT,
            "no range",
        ),
        (
            "/a.txt",
            Method::HEAD,
            "bytes=4-6",
            200,
            None,
            "",
            "ranges are for GET",
        ),
        (
            "/a.txt",
            Method::HEAD,
            "bytes=12-",
            200,
            None,
            "",
            "ranges are for GET",
        ),
        (
            "/empty.txt",
            Method::GET,
            "bytes=0-",
            416,
            Some("bytes */0"),
            "416 Range Not Satisfiable\n",
            "there is no first byte",
        ),
        (
            "/empty.txt",
            Method::GET,
            "bytes=-5",
            200,
            None,
            "",
            "the last five are all that there is",
        ),
    ] {
        let response = send(&app, &method, path, &[("range", range)]).await;
        assert_eq!(response.status(), status, "{range}: {why}");
        assert_eq!(header(&response, "content-range"), content_range, "{range}");
        assert_eq!(response.body(), body, "{range}");
        let length = match (status, path) {
            (200, "/a.txt") => "12".to_owned(),
            // The body has it.
            (416, _) => "0".to_owned(),
            _ => body.len().to_string(),
        };
        let told = header(&response, "content-length").unwrap_or("0");
        assert_eq!(told, length, "{method} {range}");
        assert!(response.headers().contains_key("content-type"), "{range}");
    }
}

#[tokio::test]
async fn static_3_conditions_on_several_lines_are_one_list() {
    let (_directory, app) = site("lines");
    let etag = get(&app, "/a.txt").await.headers()["etag"].clone();
    let etag = etag.to_str().unwrap();
    for (name, status) in [("if-none-match", 304), ("if-match", 200)] {
        for lines in [
            vec!["\"x\"", etag],
            vec![etag, "\"x\""],
            vec!["\"x\", \"y,\"", "", etag],
        ] {
            let headers: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
            let response = send(&app, &Method::GET, "/a.txt", &headers).await;
            assert_eq!(response.status(), status, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn static_3_conditions_are_checked_in_order() {
    let (_directory, app) = site("order");
    let etag = get(&app, "/a.txt").await.headers()["etag"].clone();
    let etag = etag.to_str().unwrap();
    let weak = format!("W/{etag}");
    let table: [(&[(&str, &str)], u16, &str); 11] = [
        (&[("if-match", "\"x\"")], 412, "another version"),
        (&[("if-match", &weak)], 412, "compared strongly"),
        (&[("if-match", "*")], 200, "there is a file"),
        (
            &[("if-match", etag), ("if-unmodified-since", EARLIER)],
            200,
            "with a tag the date does not count",
        ),
        (&[("if-unmodified-since", EARLIER)], 412, "it has changed"),
        (&[("if-none-match", &weak)], 304, "compared weakly"),
        (
            &[("if-none-match", "\"x\""), ("if-modified-since", DATE)],
            200,
            "with a tag the date does not count",
        ),
        (&[("if-modified-since", DATE)], 304, "not after"),
        (&[("if-modified-since", EARLIER)], 200, "after"),
        (
            &[("if-none-match", etag), ("range", "bytes=99-")],
            304,
            "conditions come before ranges",
        ),
        (
            &[("if-match", "\"x\""), ("range", "bytes=0-0")],
            412,
            "conditions come before ranges",
        ),
    ];
    for (headers, status, why) in table {
        for method in [Method::GET, Method::HEAD] {
            let response = send(&app, &method, "/a.txt", headers).await;
            assert_eq!(response.status(), status, "{headers:?}: {why}");
            let confirms = response.status() == 304;
            let empty = HeaderMap::new();
            let headers = if confirms { response.headers() } else { &empty };
            assert_eq!(headers.contains_key("etag"), confirms);
            assert!(!headers.contains_key("content-type"));
            assert!(!headers.contains_key("content-length"));
        }
        let nowhere = send(&app, &Method::GET, "/nowhere", headers).await;
        assert_eq!(nowhere.status(), 404, "{headers:?}: there is nothing");
    }
}

/// A part has what the whole has, and a range after the end nothing of the file.
#[tokio::test]
async fn static_4_a_part_has_the_headers_of_the_whole() {
    let (directory, app) = site("part-headers");
    directory.write("www/a.txt.gz", b"gzip's");
    let app = app
        .precompressed([Coding::Gzip])
        .max_age(Duration::from_secs(60));
    for coding in ["identity", "gzip"] {
        let with = async |name, value| {
            let headers = [("accept-encoding", coding), (name, value)];
            let response = send(&app, &Method::GET, "/a.txt", &headers).await;
            (response.status().as_u16(), response.headers().clone())
        };
        let (status, mut whole) = with("accept", "*/*").await;
        assert_eq!(status, 200);
        let (status, mut part) = with("range", "bytes=1-2").await;
        assert_eq!(status, 206);
        assert_eq!(part.remove("content-length").unwrap(), "2");
        assert!(part.remove("content-range").is_some());
        whole.remove("content-length");
        assert_eq!(part, whole, "{coding}");
        let (status, none) = with("range", "bytes=99-").await;
        assert_eq!(status, 416);
        for name in ["etag", "last-modified", "content-encoding", "accept-ranges"] {
            assert!(!none.contains_key(name), "{name}");
        }
        assert_eq!(none["cache-control"], "no-store");
    }
}
