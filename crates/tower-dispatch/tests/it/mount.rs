use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::{service_fn, util::ServiceFn};
use tower_dispatch::{Dispatch, DispatchLayer, UrlArgs};
use tower_environ::MountExt;

use crate::probe::{ask, says};

type Reply = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>;

/// Responds with SCRIPT_NAME, PATH_INFO, the URI and the path parameters, as a mount has set them.
fn place() -> ServiceFn<impl Fn(Request<()>) -> Reply + Clone> {
    service_fn(|request: Request<()>| {
        let args = request.extensions().get::<UrlArgs>().unwrap();
        let args: Vec<_> = args.iter().map(|(_, value)| value.unwrap()).collect();
        let (script_name, path_info) = (request.script_name(), request.path_info());
        let text = format!("{script_name}|{path_info} {} {args:?}", request.uri());
        std::future::ready(Ok(Response::new(text.into())))
    })
}

#[tokio::test]
async fn dispatch_11_a_mount_moves_the_prefix_to_script_name() {
    let urls = Dispatch::builder()
        .route("/wiki/first", says("earlier"))
        .mount("/wiki", place())
        .mount("/{tenant}/docs/", place())
        .route("/wiki/later", says("never"))
        .mount("/", place())
        .build()
        .unwrap();
    let table = [
        ("/wiki", "/wiki| / []"),
        ("/wiki?a=b", "/wiki| /?a=b []"),
        ("/wiki/", "/wiki|/ / []"),
        ("/wiki/x//y?a=b", "/wiki|/x//y /x//y?a=b []"),
        ("/wiki/a%2Fb%20", "/wiki|/a%2Fb%20 /a%2Fb%20 []"),
        ("/%77iki/x", "/%77iki|/x /x []"),
        (
            "http://example.org/wiki/x",
            "/wiki|/x http://example.org/x []",
        ),
        ("/wiki/first", "earlier GET []"),
        ("/wiki/later", "/wiki|/later /later []"),
        ("/wikix/y", "|/wikix/y /wikix/y []"),
        ("/wiki%2Fx", "|/wiki%2Fx /wiki%2Fx []"),
        ("/a%2Fb/docs/x", "/a%2Fb/docs|/x /x [\"a/b\"]"),
        ("/J%C3%B6rg/docs", "/J%C3%B6rg/docs| / [\"Jörg\"]"),
        ("/", "|/ / []"),
    ];
    for (uri, expected) in table {
        assert_eq!(
            ask(urls.clone(), Method::GET, uri).await.2,
            expected,
            "{uri}"
        );
    }
}

#[tokio::test]
async fn dispatch_11_mounts_nest_also_in_a_layer() {
    let inner = Dispatch::builder().mount("/b", place()).build().unwrap();
    let outer = Dispatch::builder().mount("/a", inner).build().unwrap();
    assert_eq!(
        ask(outer.clone(), Method::PUT, "/a/b/c").await.2,
        "/a/b|/c /c []"
    );
    assert_eq!(ask(outer.clone(), Method::PUT, "/a/c").await.0, 404);

    let rest = service_fn(async |request: Request<()>| {
        let text = format!("{} {}", request.uri(), request.path_info());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
    });
    let app = tower::ServiceBuilder::new()
        .layer(DispatchLayer::new(outer))
        .service(rest);
    assert_eq!(ask(app, Method::GET, "/b/a?c").await.2, "/b/a?c /b/a");
}

#[tokio::test]
async fn dispatch_11_a_mounted_service_takes_all_methods() {
    let inner = Dispatch::builder().get("/x", says("x")).build().unwrap();
    let urls = Dispatch::builder().mount("/a", inner).build().unwrap();
    let (status, headers, _) = ask(urls.clone(), Method::DELETE, "/a/x").await;
    assert_eq!(
        (status.as_u16(), &headers["allow"]),
        (405, &"GET, HEAD, OPTIONS".parse().unwrap())
    );
    assert_eq!(ask(urls, Method::OPTIONS, "/a/x").await.0, 204);
}

#[tokio::test]
async fn dispatch_11_only_the_prefix_has_to_be_decodable() {
    let urls = Dispatch::builder()
        .route("/{*anything}", says("route"))
        .mount("/{tenant}/docs", place())
        .mount("/admin", place())
        .build()
        .unwrap();
    let inner = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("inner")))
    });
    let layer = tower::Layer::layer(&DispatchLayer::new(urls.clone()), inner);
    for (path, expected) in [
        ("/admin/x%zz", "/admin|/x%zz /x%zz []"),
        ("/%61dmin/%FF?q", "/%61dmin|/%FF /%FF?q []"),
        ("/admin/%", "/admin|/% /% []"),
        ("/J%C3%B6rg/docs/%", "/J%C3%B6rg/docs|/% /% [\"Jörg\"]"),
    ] {
        assert_eq!(
            ask(urls.clone(), Method::GET, path).await.2,
            expected,
            "{path}"
        );
        assert_eq!(
            ask(layer.clone(), Method::GET, path).await.2,
            expected,
            "{path}"
        );
    }
    for path in ["/%zz/docs/x", "/admin%zz", "/x/%zz"] {
        assert_eq!(ask(urls.clone(), Method::GET, path).await.0, 400, "{path}");
        assert_eq!(
            ask(layer.clone(), Method::GET, path).await.2,
            "inner",
            "{path}"
        );
    }
    let root = Dispatch::builder().mount("/", place()).build().unwrap();
    assert_eq!(ask(root, Method::GET, "/%FF").await.2, "|/%FF /%FF []");
}

#[tokio::test]
async fn dispatch_11_a_mounted_dispatcher_sees_the_parameters() {
    let says_tenant = service_fn(async |request: Request<()>| {
        let args = request.extensions().get::<UrlArgs>().unwrap();
        let outer = args.outer().map_or(0, UrlArgs::len);
        let text = format!("{:?} {:?} {outer}", args.name("tenant"), args.name("id"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text)))
    });
    let pages = Dispatch::builder()
        .route("/page/{id}", says_tenant)
        .build()
        .unwrap();
    let urls = Dispatch::builder()
        .mount("/{tenant}/wiki", pages.clone())
        .mount(
            "/{tenant}",
            Dispatch::builder().mount("/{id}", pages).build().unwrap(),
        )
        .build()
        .unwrap();
    let got = ask(urls.clone(), Method::GET, "/acme/wiki/page/7").await.2;
    assert_eq!(got, "Some(\"acme\") Some(\"7\") 1");
    // The innermost parameter of a name counts.
    let got = ask(urls, Method::GET, "/acme/blog/page/7").await.2;
    assert_eq!(got, "Some(\"acme\") Some(\"7\") 1");
}

#[test]
fn dispatch_11_an_invalid_mount_is_an_error_with_its_column() {
    let slashes = "a mount has no empty segment";
    let parameter = "a parameter of a mount is one segment or a part of one: it matches no slash and is not empty";
    let dots = "a mount has no `.` or `..` segment, which clients resolve";
    for (prefix, column, reason) in [
        ("wiki", 1, "a template begins with `/`"),
        ("", 1, "a template begins with `/`"),
        ("/{", 2, "a `{` that is not closed; write `{{` for a brace"),
        ("//", 2, slashes),
        ("/ä//b", 4, slashes),
        ("/a//", 4, slashes),
        ("/a/../b", 4, dots),
        ("/.", 2, dots),
        ("/a/{*b}", 4, parameter),
        ("/é/{lang}/{b:path}/c", 11, parameter),
        ("/a/x{b:[.*x]}", 5, parameter),
        ("/{x:[a?]}", 2, parameter),
        ("/{x:[(?-u:[a/])]}", 2, parameter),
    ] {
        let text = format!("pattern {prefix:?}, column {column}: {reason}");
        let error = Dispatch::builder().mount(prefix, says("x")).build();
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "route 0: the pattern is not valid");
        assert_eq!(error.source().unwrap().to_string(), text);
    }
}

#[tokio::test]
async fn dispatch_11_connect_and_options_star_are_below_the_root() {
    let urls = Dispatch::builder().mount("/a", place()).build().unwrap();
    let root = Dispatch::builder().mount("/", place()).build().unwrap();
    for (method, uri, expected) in [
        (Method::OPTIONS, "*", "|* * []"),
        (Method::CONNECT, "example.org:80", "| example.org:80 []"),
    ] {
        assert_eq!(ask(urls.clone(), method.clone(), uri).await.0, 404);
        assert_eq!(ask(root.clone(), method, uri).await.2, expected);
    }
}
