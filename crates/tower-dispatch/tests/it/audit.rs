//! Routes that can never be reached.

use std::time::{Duration, Instant};

use tower_dispatch::{Audit, Boxed, Builder, Dispatch, Endpoint, Pattern};

use crate::probe::says;

type Routes = Builder<Endpoint<()>, Boxed>;

fn audit(routes: Routes) -> Audit {
    routes.build().unwrap().audit()
}

fn found(audit: &Audit) -> Vec<(usize, Vec<usize>)> {
    let unreachable = audit.unreachable().iter();
    unreachable
        .map(|route| (route.route(), route.covered_by().to_vec()))
        .collect()
}

fn regex(regex: &str) -> Pattern {
    Pattern::regex(regex).unwrap()
}

#[test]
fn dispatch_13_ten_covered_routes_among_forty_are_found() {
    let mut routes = Dispatch::builder();
    for kind in ["users", "posts", "tags", "files", "events"] {
        routes = routes
            .get(format!("/{kind}"), says("list"))
            .post(format!("/{kind}"), says("create"))
            .get(format!("/{kind}/new"), says("new"))
            .get(format!("/{kind}/{{id:int}}"), says("one"))
            .get(format!("/{kind}/{{slug}}"), says("slug"))
            .get(
                regex(&format!(r"/{kind}/(\d{{4}})-(\d{{2}})/.*")),
                says("month"),
            );
    }
    // The planted routes are 30 to 39.
    let audit = audit(
        routes
            .get("/users/{name}", says("the same"))
            .get("/posts/latest", says("more special"))
            .get("/users", says("twice"))
            .get(regex("/tags/(?:new|[a-z]+|[0-9]{1,3})"), says("by several"))
            .get(regex("/files(?:/[^/]+)?"), says("list and slug"))
            .method(http::Method::HEAD, "/events", says("HEAD goes with GET"))
            .get("/events/{id:int}", says("int"))
            .get(regex("/posts/2026-11/.+"), says("month"))
            .get(regex("no-slash"), says("no path"))
            .get("/tags/{a}{b}", says("two in one")),
    );
    assert_eq!(
        found(&audit),
        [
            (30, vec![2, 3, 4]),
            (31, vec![10]),
            (32, vec![0]),
            (33, vec![14, 15, 16]),
            (34, vec![18, 20, 21, 22]),
            (35, vec![24]),
            (36, vec![27]),
            (37, vec![11]),
            (38, vec![]),
            (39, vec![14, 15, 16]),
        ]
    );
    assert_eq!(audit.undecided(), [] as [usize; 0]);
    let text = audit.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        "route 31 (GET /posts/latest) is never reached: route 10 (GET /posts/{slug}) takes all its paths"
    );
    assert_eq!(
        lines[8],
        "route 38 (GET no-slash) is never reached: no path is like that"
    );
    assert_eq!(
        lines[9],
        "route 39 (GET /tags/{a}{b}) is never reached: route 14 (GET /tags/new) and route 15 (GET /tags/{id:int}) and route 16 (GET /tags/{slug}) take all its paths"
    );
    assert_eq!(lines.len(), 10);
}

#[test]
fn dispatch_13_an_own_method_or_an_own_path_is_enough() {
    let audit = audit(
        Dispatch::builder()
            .get("/a", says("0"))
            .post("/a", says("1"))
            .route("/a", says("2"))
            .route("/a", says("3, covered"))
            .get("/{x}", says("4"))
            .get(regex("/[^/]*"), says("5, for /"))
            .mount("/a", says("6, for /a/b"))
            .mount("/a/b", says("7, covered"))
            .route("/a/b/{c}", says("8, covered")),
    );
    assert_eq!(
        found(&audit),
        [(3, vec![0, 1, 2]), (7, vec![6]), (8, vec![6])]
    );
}

#[test]
fn dispatch_13_a_duplicate_is_covered_like_the_first() {
    let audit = audit(
        Dispatch::builder()
            .route("/{x}", says("0"))
            .route("/a", says("1, covered"))
            .route("/a", says("2, covered"))
            .route("/b/c", says("3"))
            .route("/b/c", says("4, covered")),
    );
    assert_eq!(found(&audit), [(1, vec![0]), (2, vec![0]), (4, vec![3])]);
}

#[test]
fn dispatch_13_anchors_decide_which_paths_a_route_takes() {
    let prefix = |regex| Pattern::regex_prefix(regex).unwrap();
    let search = |regex| Pattern::regex_search(regex).unwrap();
    let audit = audit(
        Dispatch::builder()
            .route(prefix("/static/"), says("0"))
            .route("/static/{*rest}", says("1, covered"))
            .route("/static", says("2"))
            .route(search("secret"), says("3"))
            .route(regex(".*/my-secret/.*"), says("4, covered"))
            .route(prefix("/secret"), says("5, covered"))
            .route(regex("/sekret"), says("6")),
    );
    assert_eq!(found(&audit), [(1, vec![0]), (4, vec![0, 3]), (5, vec![3])]);
}

#[test]
fn dispatch_13_an_audit_knows_about_stripped_slashes() {
    let audit = audit(
        Dispatch::builder()
            .route(regex("hello"), says("0"))
            .route(regex("/x"), says("1, never"))
            .route(regex("hello|world"), says("2"))
            .route(regex("hello"), says("3, covered"))
            .without_leading_slashes(),
    );
    assert_eq!(found(&audit), [(1, vec![]), (3, vec![0])]);
}

#[test]
fn dispatch_13_an_audit_knows_that_the_first_path_decides() {
    let audit = audit(
        Dispatch::builder()
            .get("/a/{x}", says("0"))
            .post("/a/b", says("1, covered"))
            .post("/a/{x}", says("2"))
            .route("/a/{x}", says("3"))
            .get("/a/{x}", says("4, covered"))
            .first_path_match_decides(),
    );
    assert_eq!(found(&audit), [(1, vec![0]), (4, vec![0, 2, 3])]);
}

#[test]
fn dispatch_13_a_hostile_table_ends_undecided() {
    let start = Instant::now();
    let audit = audit(
        Dispatch::builder()
            .route("/a", says("0"))
            .route(regex(r"/(?:\w{1,20}-)*x\w{20}"), says("1, too large"))
            .route(regex(r"/\bword\b"), says("2, cannot be decided"))
            .route("/a", says("3, covered")),
    );
    assert_eq!(found(&audit), [(3, vec![0])]);
    assert_eq!(audit.undecided(), [1, 2]);
    assert!(
        audit
            .to_string()
            .ends_with("route 2 (* /\\bword\\b): undecided\n")
    );

    let routes = (0..40).fold(Dispatch::builder(), |routes, i| {
        routes.route(regex(&format!("/.*[ab]x.{{{i}}}")), says("hostile"))
    });
    let audit = self::audit(routes);
    assert!(!audit.undecided().is_empty());
    assert!(audit.unreachable().is_empty() && !audit.is_empty());

    let routes = (0..1000).fold(Dispatch::builder(), |routes, i| {
        routes.route(regex(&format!("/.*a.{{8}}x{}", i % 100)), says("hostile"))
    });
    let audit = self::audit(routes);
    assert_eq!(audit.undecided(), [] as [usize; 0]);
    assert_eq!(audit.unreachable().len(), 900);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn dispatch_13_an_audit_without_findings_is_empty() {
    let routes = || Dispatch::builder().get("/a", says("a"));
    assert!(audit(routes()).is_empty());
    assert!(!audit(routes().get("/a", says("again"))).is_empty());
}
