//! Entity tags and dates.

use std::fs;

use http::{Request, StatusCode};

use super::{ask, get, header, site};

/// The times that builds and archives set for all files: none, Nix's, npm's, one of a commit.
const SET_TIMES: [i64; 5] = [-86400, 0, 1, 499_162_500, 1_600_000_000];

#[tokio::test]
async fn static_5_a_time_that_is_set_confirms_no_other_content() {
    let site = site("set-times");
    let app = site.files();
    // Large files are not hashed, so that both kinds are tried.
    for length in [4, 2 << 20] {
        for seconds in SET_TIMES {
            let write = |byte: &str| {
                let file = site.0.join("www/sub/deep.txt");
                fs::remove_file(&file).unwrap();
                fs::write(&file, byte.repeat(length)).unwrap();
                site.set_time("www/sub/deep.txt", seconds);
            };
            write("a");
            let first = get(&app, "/sub/deep.txt").await;
            assert_eq!(first.status(), StatusCode::OK, "{seconds}");
            let etag = header(&first, "etag").unwrap();
            let with_tag = || Request::get("/sub/deep.txt").header("if-none-match", etag);
            let same = ask(&app, with_tag()).await;
            assert_eq!(same.status(), StatusCode::NOT_MODIFIED, "{seconds}");
            write("b");
            let other = ask(&app, with_tag()).await;
            assert_eq!(other.status(), StatusCode::OK, "{seconds}");
            assert_ne!(header(&other, "etag"), Some(etag), "{seconds}");
            assert_eq!(other.body().first(), Some(&b'b'), "{seconds}");
            // Such a date confirms nothing either; one from before the web is not even named.
            let date = header(&first, "last-modified");
            assert_eq!(date.is_some(), seconds == 1_600_000_000, "{seconds}");
            let since = "Thu, 01 Jan 1970 00:00:01 GMT";
            let since = Request::get("/sub/deep.txt").header("if-modified-since", since);
            assert_eq!(ask(&app, since).await.status(), StatusCode::OK, "{seconds}");
        }
    }
}

#[tokio::test]
async fn static_6_a_time_in_the_future_is_now() {
    let site = site("future");
    let app = site.files();
    // The year 12000 has no HTTP date.
    for seconds in [4_000_000_000, 316_000_000_000] {
        site.set_time("www/sub/deep.txt", seconds);
        let response = get(&app, "/sub/deep.txt").await;
        assert_eq!(response.body(), "deep", "{seconds}");
        let since = header(&response, "last-modified").unwrap();
        assert!(!since.contains("2096"), "{since}");
    }
}

/// Up to 1 MiB, the tag of a file whose time was set is a hash of all of its content.
#[tokio::test]
async fn static_5_the_tag_is_a_hash_up_to_1_mib() {
    let site = site("hashed");
    let app = site.files();
    for (length, tag) in [
        (100_000, Some("\"6d1cf22d7cc09b085dfc25ee1a1f3ae0\"")),
        (1 << 20, Some("\"9bc1b2a288b26af7257a36277ae3816a\"")),
        ((1 << 20) + 1, None),
    ] {
        fs::write(site.0.join("www/sub/deep.txt"), "a".repeat(length)).unwrap();
        site.set_time("www/sub/deep.txt", 1);
        let response = get(&app, "/sub/deep.txt").await;
        let found = header(&response, "etag");
        match tag {
            Some(tag) => assert_eq!(found, Some(tag), "{length}"),
            None => assert!(
                found.is_none_or(|found| found.starts_with("\"c")),
                "{found:?}"
            ),
        }
    }
}
