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
        ("format = negotiated\n4xx = keep", 404, "nothing"),
        ("4xx = keep\nformat = negotiated", 404, "nothing"),
        ("format = negotiated\n5xx = keep", 404, "404 Not Found\n"),
        ("format = negotiated\n4xx = /sorry", 404, "a page"),
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

#[tokio::test]
async fn deploy_64_the_example_has_pages() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pages");
    let app = Loader::new(Registry::standard())
        .load_app(&format!("config:{example}/site.ini"))
        .unwrap();
    let page = |name: &str| std::fs::read(format!("{example}/files/{name}")).unwrap();
    for (path, status, name) in [
        ("/", 200, "index.html"),
        ("/nowhere", 404, "errors/404.html"),
        ("/panic", 500, "errors/sorry.html"),
    ] {
        let response = get(&app, path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.body(), &page(name), "{path}");
        assert_eq!(header(&response, "x-incident-id").is_some(), status == 500);
    }
    let request = Request::put("/").header("accept", "application/problem+json");
    let response = ask(&app, request).await;
    assert_eq!(response.status(), 405);
    assert_eq!(header(&response, "allow"), Some("GET, HEAD"));
    let content_type = header(&response, "content-type");
    assert_eq!(content_type, Some("application/problem+json"));
}
