//! Plans, and the parts that are built of them.

use http::Request;
use http_body_util::Full;
use tower::ServiceExt;

use crate::fakes::{loader, said};

const SITE: &str = "\
[DEFAULT]
root = /srv

[composite:main]
use = egg:fake#mount
/ = site
/blog = config:blog.ini
title = All of it
filter-with = outer

[pipeline:site]
pipeline = twice twice page

[filter:outer]
use = egg:fake
prefix = outer:
db_password = hunter2

[filter:twice]
use = egg:fake
prefix = yikes:

[filter-app:page]
use = egg:fake
next = leaf

[app:leaf]
use = egg:fake
text = %(root)s/leaf
database = postgres://me:hunter2@db/site
";

const BLOG: &str = "[app:main]\nuse = call:fakemod:app\nabout = one\n  two\n";

const FILES: &[(&str, &str)] = &[("main.ini", SITE), ("blog.ini", BLOG)];

#[tokio::test]
async fn deploy_2_a_pipeline_begins_with_its_outermost_filter() {
    let loader = loader(FILES);
    let app = loader.load_app("config:main.ini#site").unwrap();
    assert_eq!(said(&app).await, "yikes:yikes:filter:/srv/leaf");
    let app = loader.load_app("config:main.ini").unwrap();
    assert_eq!(said(&app).await, "outer:/ /blog");
    let filter = loader.load_filter("config:main.ini#twice").unwrap();
    let leaf = loader.load_app("config:main.ini#leaf").unwrap();
    assert_eq!(said(&filter.apply(leaf).unwrap()).await, "yikes:/srv/leaf");
}

#[tokio::test]
async fn deploy_4_main_is_loaded_unless_another_name_is_set() {
    let text = |name: &str| format!("[app:{name}]\nuse = egg:fake\ntext = {name}\n");
    let file = ["main", "second", "third"].map(text).concat();
    let loader = loader(&[("main.ini", &file)]);
    let app = loader.load_app("config:main.ini").unwrap();
    assert_eq!(said(&app).await, "main");
    let app = loader.load_app("config:main.ini#second").unwrap();
    assert_eq!(said(&app).await, "second");
    let app = loader.name("third").load_app("config:main.ini#second");
    assert_eq!(said(&app.unwrap()).await, "third");
}

#[test]
fn deploy_16_a_tree_is_for_people() {
    let plan = loader(FILES).plan_app("config:main.ini").unwrap();
    let expected = "\
filter egg:fake#main  [filter:outer] main.ini:14
    prefix = outer:
    db_password = [redacted]
composite egg:fake#mount  [composite:main] main.ini:4
│   title = All of it
├── / → filter egg:fake#main  [filter:twice] main.ini:19
│       prefix = yikes:
│   filter egg:fake#main  [filter:twice] main.ini:19
│       prefix = yikes:
│   filter egg:fake#main  [filter-app:page] main.ini:23
│   app egg:fake#main  [app:leaf] main.ini:27
│       text = /srv/leaf
│       database = postgres://[redacted]@db/site
└── /blog → app call:fakemod:app  [app:main] blog.ini:1
        about = one⏎two
";
    assert_eq!(plan.to_string(), expected);
}

#[test]
fn deploy_16_json_is_for_programs() {
    let plan = loader(FILES).plan_app("config:main.ini").unwrap();
    let json = plan.to_json();
    assert_eq!(json["part"], "filter-with");
    assert_eq!(json["filter"]["local"]["db_password"], "[redacted]");
    let composite = &json["next"];
    assert_eq!(composite["part"], "composite");
    assert_eq!(composite["factory"], "egg:fake#mount");
    assert_eq!(composite["local"]["title"], "All of it");
    assert_eq!(composite["parts"][0][0], "/");
    let pipeline = &composite["parts"][0][1];
    assert_eq!(pipeline["part"], "pipeline");
    assert_eq!(
        (&pipeline["section"], &pipeline["line"]),
        (&"pipeline:site".into(), &11.into())
    );
    assert_eq!(pipeline["filters"].as_array().unwrap().len(), 2);
    assert_eq!(pipeline["app"]["part"], "filter-app");
    assert_eq!(pipeline["app"]["next"]["global"]["root"], "/srv");
    assert_eq!(composite["parts"][1][1]["file"], "/site/blog.ini");
    assert!(!json.to_string().contains("hunter2"));
}

#[test]
fn deploy_16_mermaid_is_a_picture() {
    let plan = loader(FILES).plan_app("config:main.ini").unwrap();
    let expected = "\
flowchart TD
    n0[\"filter egg:fake#main  [filter:outer] main.ini:14\"]
    n1[\"composite egg:fake#mount  [composite:main] main.ini:4\"]
    n0 --> n1
    n2[\"filter egg:fake#main  [filter:twice] main.ini:19\"]
    n1 -->|\"/\"| n2
    n3[\"filter egg:fake#main  [filter:twice] main.ini:19\"]
    n2 --> n3
    n4[\"filter egg:fake#main  [filter-app:page] main.ini:23\"]
    n3 --> n4
    n5[\"app egg:fake#main  [app:leaf] main.ini:27\"]
    n4 --> n5
    n6[\"app call:fakemod:app  [app:main] blog.ini:1\"]
    n1 -->|\"/blog\"| n6
";
    assert_eq!(plan.to_mermaid(), expected);
}

#[tokio::test]
async fn deploy_17_an_app_is_a_fallback_of_axum() {
    let app = loader(FILES).load_app("config:main.ini#leaf").unwrap();
    let router: axum::Router = axum::Router::new().fallback_service(app);
    let request = Request::new(axum::body::Body::new(Full::<bytes::Bytes>::default()));
    assert_eq!(router.oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn deploy_2_the_type_of_a_call_is_that_of_its_section() {
    let file = "\
[composite:main]
use = call:fakemod:mount
/a = :odd
[app::odd]
use = call:fakemod:app
filter-with = f
[filter:f]
use = call:fakemod:filter
[server:main]
use = call:fakemod:server
";
    let loader = loader(&[("main.ini", file)]);
    let app = loader.load_app("config:main.ini").unwrap();
    assert_eq!(said(&app).await, "/a");
    let server = loader.load_server("config:main.ini").unwrap();
    server.serve(app).await.unwrap();
}
