//! The filter `error-documents`. tower-error-document tests the rest.

use super::*;

fn with(settings: &str) -> App {
    site(&format!(
        "[composite:main]\nuse = egg:tower#urlmap\nfilter-with = documents\n/ = none\n/sorry = page\n\
         [app:none]\nuse = egg:tower#text\ntext = nothing\nstatus = 404\n\
         [app:page]\nuse = egg:tower#text\ntext = a page\ncontent_type = text/html\n\
         [filter:documents]\nuse = egg:tower#error-documents\n{settings}"
    ))
}

#[tokio::test]
async fn deploy_64_a_status_has_a_page_of_the_app() {
    for (settings, status, body) in [
        ("404 = /sorry", 404, "a page"),
        ("404 = =503 /sorry", 503, "a page"),
        ("404 = = /sorry", 200, "a page"),
        ("4xx = /sorry", 404, "a page"),
        ("5xx = /sorry", 404, "nothing"),
        ("4xx = /sorry\n404 = keep", 404, "nothing"),
        ("404 = keep\n4xx = /sorry", 404, "nothing"),
        ("404 = negotiated", 404, "404 Not Found\n"),
        ("format = negotiated", 404, "404 Not Found\n"),
        ("format = negotiated\ntext_limit = 100", 404, "nothing\n"),
        ("format = negotiated\n404 = keep", 404, "nothing"),
        ("404 = /missing", 404, "404 Not Found\n"),
    ] {
        let response = get(&with(settings), "/lost").await;
        assert_eq!(response.status(), status, "{settings}");
        assert_eq!(response.body(), body, "{settings}");
    }
    let response = get(&with("4xx = /sorry"), "/sorry").await;
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (200, &b"a page"[..])
    );
}

#[test]
fn deploy_64_wrong_settings_are_errors() {
    for (settings, expected) in [
        ("404 = sorry", "`sorry` is not a path, such as /404.html"),
        ("404 = =999 /sorry", "the status before the path is none"),
        ("404 = a b c", "it is not a path"),
        ("200 = /sorry", "it is no status and no setting"),
        ("formats = negotiated", "it is no status and no setting"),
        ("format = xml", "the format `xml` is not known"),
        ("text_limit = many", "it is not a number of bytes"),
        ("any_content = maybe", "`maybe` is neither yes nor no"),
    ] {
        let error = wrong(&format!(
            "[app:main]\nuse = egg:tower#text\ntext = x\nfilter-with = documents\n\
             [filter:documents]\nuse = egg:tower#error-documents\n{settings}"
        ));
        assert!(error.contains(expected), "{settings}: {error}");
    }
}
