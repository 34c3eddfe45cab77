use std::{
    convert::Infallible,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, request, response};
use http_body_util::Full;
use tower::service_fn;
use tower_deploy::{App, Body, Registry};
use tower_dispatch::UrlArgs;
use tower_hooks::Hook;

use super::{ask, get, header, load, loader, site, wrong};

const LINES: &str = "
[composite:main]
use = egg:tower#router
urlpatterns =
    GET,PUT  /hello             text
    GET      /hello/{name}      name
    *        ^/files/(.+)$      number
    /every                      text

[app:text]
use = egg:tower#text
text = text
[app:name]
use = egg:tower#text
text = Hello {name}
[app:number]
use = egg:tower#text
text = {0}
";

#[tokio::test]
async fn deploy_29_a_line_is_methods_a_pattern_and_an_app() {
    let app = site(LINES);
    assert_eq!(get(&app, "/hello").await.body(), "text");
    assert_eq!(ask(&app, Request::put("/hello")).await.body(), "text");
    assert_eq!(get(&app, "/hello/John").await.body(), "Hello John");
    assert_eq!(ask(&app, Request::delete("/files/a/b")).await.body(), "a/b");
    assert_eq!(ask(&app, Request::delete("/every")).await.body(), "text");
    assert_eq!(get(&app, "/nowhere").await.status(), StatusCode::NOT_FOUND);
    let rejected = ask(&app, Request::delete("/hello")).await;
    assert_eq!(rejected.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(&rejected, "allow"), Some("GET, HEAD, OPTIONS, PUT"));
}

#[tokio::test]
async fn deploy_29_a_filter_falls_through_without_a_route() {
    let app = site(&format!(
        "{}\n[pipeline:main]\npipeline = urls rest\n[app:rest]\nuse = egg:tower#text\ntext = rest\n",
        LINES
            .replace("[composite:main]", "[filter:urls]")
            .replace("#router", "#dispatch")
    ));
    assert_eq!(get(&app, "/hello/John").await.body(), "Hello John");
    assert_eq!(get(&app, "/nowhere").await.body(), "rest");
}

#[test]
fn deploy_29_an_invalid_route_is_an_error_at_its_line() {
    let lines = |lines: &str| {
        wrong(&format!(
            "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n  GET /a a\n  {lines}\n[app:a]\nuse = egg:tower#panic\n"
        ))
    };
    assert_eq!(
        lines("GET a a"),
        "/site/main.ini:5:3: [composite:main] urlpatterns: `GET a a` is not a route (write METHOD[,METHOD…] PATTERN APP, where PATTERN is a template that begins with a slash or a regex that begins with ^)"
    );
    assert_eq!(
        lines("get /b a"),
        "/site/main.ini:5:3: [composite:main] urlpatterns: `get` is not a method (methods are upper case, as GET, and separated by commas without spaces; * is all methods)"
    );
    assert!(
        lines("GET ^/b(c$ a").starts_with("/site/main.ini:5:7: [composite:main] urlpatterns: "),
        "{}",
        lines("GET ^/b(c$ a")
    );
    let missing = lines("GET /b  b");
    assert!(
        missing.starts_with(
            "/site/main.ini:5:11: [composite:main] urlpatterns: there is no app `b` in"
        ),
        "{missing}"
    );
    assert_eq!(
        wrong("[composite:main]\nuse = egg:tower#router\nroutes = x\n"),
        "/site/main.ini:3:1: [composite:main] routes: the key is not known (known: urlpatterns, json)"
    );
    assert!(wrong("[composite:main]\nuse = egg:tower#router\n").contains("it has no routes"));
    assert!(
        wrong("[composite:main]\nuse = egg:tower#router\nurlpatterns =\njson = x\n")
            .contains("its routes are set twice")
    );
}

/// Returns an app that responds with its number of requests. `made` counts the apps.
fn counter(made: Arc<AtomicUsize>) -> App {
    made.fetch_add(1, Ordering::Relaxed);
    let count = Arc::new(AtomicUsize::new(0));
    App::new(service_fn(move |_: Request<Body>| {
        let count = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok::<_, Infallible>(Response::new(Body::from(count.to_string()))) }
    }))
}

/// A hook that notes the route that it saw, and stops a request that says stop.
struct Middleware;

impl Hook for Middleware {
    type State = Option<String>;

    async fn before(
        &self,
        route: &mut Self::State,
        request: &mut request::Parts,
    ) -> ControlFlow<Response<Full<Bytes>>> {
        let args = request.extensions.get::<UrlArgs>();
        *route = args.map(|args| args.pattern().to_owned());
        match request.uri.query() {
            Some("stop") => ControlFlow::Break(Response::new("stopped".into())),
            _ => ControlFlow::Continue(()),
        }
    }

    async fn after(&self, route: &mut Self::State, response: &mut response::Parts) {
        let route = HeaderValue::try_from(route.take().unwrap_or_default()).unwrap();
        response.headers.insert("x-route", route);
    }
}

fn registry(made: &Arc<AtomicUsize>) -> Registry {
    let made = made.clone();
    Registry::standard()
        .app("myapp.routes.counter", move |_, (): ()| {
            Ok::<_, Infallible>(counter(made.clone()))
        })
        .hook("myapp.middlewares.Middleware", |_, (): ()| {
            Ok::<_, Infallible>(Middleware)
        })
}

const ROUTER: (&str, &str) = (
    "main.ini",
    "[composite:main]\nuse = egg:tower#router\njson = router.conf\n",
);

#[tokio::test]
async fn deploy_30_the_json_names_registered_apps_and_hooks() {
    let json = r#"{
        "ROUTER": {
            "urlpatterns": {
                "^/counter$": {"GET": "myapp.routes.counter", "POST": "myapp.routes.counter"},
                "^/count": {"PUT": "myapp.routes.counter"}
            },
            "middlewares": ["myapp.middlewares.Middleware"]
        }
    }"#;
    let made = Arc::default();
    let loader = loader(registry(&made), &[ROUTER, ("router.conf", json)]);
    let app = loader.load_app("config:/site/main.ini").unwrap();
    assert_eq!(get(&app, "/counter").await.body(), "1");
    // Both routes lead to one app.
    let posted = ask(&app, Request::post("/counter")).await;
    assert_eq!(posted.body(), "2");
    assert_eq!(header(&posted, "x-route"), Some("^/counter$"));
    assert_eq!(made.load(Ordering::Relaxed), 1);
    // The first pattern that matches decides, even if a later one has the method. A pattern is not
    // the whole path.
    assert_eq!(
        ask(&app, Request::put("/counter")).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(ask(&app, Request::put("/counting")).await.body(), "3");
    // A hook that responds in `before` has no `after`.
    let stopped = get(&app, "/counter?stop").await;
    assert_eq!(stopped.body(), "stopped");
    assert_eq!(header(&stopped, "x-route"), None);
    let tree = loader
        .plan_app("config:/site/main.ini")
        .unwrap()
        .to_string();
    assert!(
        tree.contains(
            "GET ^/counter$, POST ^/counter$, PUT ^/count → app egg:myapp.routes.counter"
        ),
        "{tree}"
    );
    assert!(
        tree.contains("middleware 1 → hook egg:myapp.middlewares.Middleware"),
        "{tree}"
    );
}

#[test]
fn deploy_30_an_error_in_the_json_has_line_and_column() {
    let made = Arc::default();
    let error = |json: &str| {
        let files = [ROUTER, ("router.conf", json)];
        let loader = loader(registry(&made), &files);
        loader
            .load_app("config:/site/main.ini")
            .unwrap_err()
            .to_string()
    };
    let help = "(a router is {\"ROUTER\": {\"urlpatterns\": {PATTERN: {METHOD: NAME}}, \"middlewares\": [NAME]}})";
    assert_eq!(
        error("{\n  \"ROUTER\": {\n    \"urlpatterns\": {,}\n  }\n}"),
        format!("/site/router.conf:3:21: key must be a string {help}")
    );
    assert_eq!(
        error("{\"ROUTER\": {\"urlpattern\": {}}}"),
        format!(
            "/site/router.conf:1:24: unknown field `urlpattern`, expected `urlpatterns` or `middlewares` {help}"
        )
    );
    assert_eq!(
        error(""),
        format!("/site/router.conf:1:1: EOF while parsing a value {help}")
    );
    let patterns = |patterns: &str| {
        error(&format!(
            "{{\"ROUTER\": {{\"urlpatterns\": {{\n{patterns}\n}}}}}}"
        ))
    };
    assert_eq!(
        patterns("\"^/x\": {\"GET\": 1}"),
        "/site/router.conf:2:16: it is not a name (write the name, as \"package.module.name\", that the program has registered)"
    );
    let unknown = patterns("\"^/ä\": {\"GET\": \"myapp.routes.county\"}");
    assert!(unknown.starts_with("/site/router.conf:2:16: "), "{unknown}");
    assert!(
        unknown.contains("nothing is registered under egg:myapp.routes.county"),
        "{unknown}"
    );
    let method = patterns("\"^/x\": {\"get\": \"myapp.routes.counter\"}");
    assert!(method.starts_with("/site/router.conf:2:9: "), "{method}");
    let regex = patterns(
        "\"^/x\": {\"GET\": \"myapp.routes.counter\"},\n\"^/(x\": {\"GET\": \"myapp.routes.counter\"}",
    );
    assert!(regex.starts_with("/site/router.conf:3:1: "), "{regex}");
}

#[test]
fn deploy_14_an_error_is_at_the_word_that_is_wrong() {
    let lines = |lines: &str| {
        wrong(&format!(
            "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n{lines}\n[app:page]\nuse = egg:tower#panic\n"
        ))
    };
    // The position is not that of the same words in a line before, or in a comment.
    assert!(lines("  GET /about page\n  # /about\n  /about").starts_with("/site/main.ini:6:3: "));
    assert!(lines("  GET /a/get page\n  get /a page").starts_with("/site/main.ini:5:3: "));
    assert!(lines("  GET /page pages").starts_with("/site/main.ini:4:13: "));
    let made = Arc::default();
    let json = |patterns: &str| {
        let json = format!("{{\"ROUTER\": {{\"urlpatterns\": {patterns}}}}}");
        let loader = loader(registry(&made), &[ROUTER, ("router.conf", &json)]);
        loader
            .load_app("config:/site/main.ini")
            .unwrap_err()
            .to_string()
    };
    let escaped = json("{\n \"^\\/a(\\u0041\\\"\": {\"GET\": \"myapp.routes.counter\"}}");
    assert!(
        escaped.starts_with("/site/router.conf:2:2: json: "),
        "{escaped}"
    );
    let nested = json(&format!(
        "{{\n\"^/a\": {{\"GET\": {}\n{}}}}}",
        "[".repeat(100),
        "]".repeat(100)
    ));
    assert!(
        nested.starts_with("/site/router.conf:2:16: it is not a name"),
        "{nested}"
    );
    let settings = json("{\"^/a\":\n {\"GET\": \"tower#text\"}}");
    assert!(
        settings.starts_with("/site/router.conf:2:10: text: it is missing"),
        "{settings}"
    );
    // A name in this file leads to no other file.
    let other = json("{\"^/a\": {\"GET\": \"x#config:/site/other.ini\"}}");
    assert!(
        other.starts_with("/site/router.conf:1:44: json: `x` has no colon"),
        "{other}"
    );
}

#[tokio::test]
async fn deploy_29_a_star_is_every_method_in_a_list() {
    let lines = "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n  *,GET /a text\n[app:text]\nuse = egg:tower#text\ntext = x\n";
    let app = site(lines);
    assert_eq!(ask(&app, Request::post("/a")).await.body(), "x");
    let json = "{\"ROUTER\": {\"urlpatterns\": {\"^/a\": {\"*\": \"myapp.routes.counter\"}}}}";
    let loader = loader(registry(&Arc::default()), &[ROUTER, ("router.conf", json)]);
    let app = loader.load_app("config:/site/main.ini").unwrap();
    assert_eq!(ask(&app, Request::post("/a")).await.body(), "1");
}

#[test]
fn thousands_of_routes_take_little_time() {
    let lines: String = (0..4000).map(|n| format!("  GET /a{n}/b x\n")).collect();
    let file = format!(
        "[composite:main]\nuse = egg:tower#router\nurlpatterns =\n{lines}[app:x]\nuse = egg:tower#panic\n"
    );
    let began = std::time::Instant::now();
    let plan =
        loader(Registry::standard(), &[("main.ini", &file)]).plan_app("config:/site/main.ini");
    assert!(plan.is_ok());
    let patterns: Vec<String> = (0..4000)
        .map(|n| format!("\"^/\\u0061{n}$\": {{\"GET\": \"tower#panic\"}}"))
        .collect();
    let json = format!(
        "{{\"ROUTER\": {{\"urlpatterns\": {{{}}}}}}}",
        patterns.join(",")
    );
    let plan = loader(Registry::standard(), &[ROUTER, ("router.conf", &json)])
        .plan_app("config:/site/main.ini");
    assert!(plan.is_ok());
    assert!(
        began.elapsed() < std::time::Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn deploy_7_a_file_is_read_once() {
    let reads = Arc::new(AtomicUsize::new(0));
    let count = reads.clone();
    let loader = tower_deploy::Loader::new(registry(&Arc::default())).files(move |path| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(match path.extension() {
            Some(_) if path.ends_with("main.ini") => ROUTER.1.as_bytes().to_vec(),
            _ => b"{\"ROUTER\": {\"urlpatterns\": {\"^/a\": {\"GET\": \"myapp.routes.counter\"}}}}"
                .to_vec(),
        })
    });
    loader.load_app("config:/site/main.ini").unwrap();
    assert_eq!(reads.load(Ordering::Relaxed), 2);
}

#[test]
fn deploy_30_a_missing_json_file_is_an_error_at_its_name() {
    let error = load(&[ROUTER]).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "/site/main.ini:3:8: [composite:main] json: /site/router.conf: there is no such file"
        ),
        "{error}"
    );
}
