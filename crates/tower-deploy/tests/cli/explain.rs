//! `explain`: what a file leads to, with the effective values of settings.

use crate::{Folder, run};

const SITE: &str = "\
[DEFAULT]
db_password = hunter2
[server:main]
use = egg:tower#http
port = 080
header_timeout = 90s
[pipeline:main]
pipeline = limit origin cors swap id late timing tries
[filter:limit]
use = egg:tower#body-limit
limit = 64k
[filter:origin]
use = egg:tower#origin
trusted = 10.0.0.0/8
  ::1
[filter:cors]
use = egg:tower#cors
origins = https://example.org
max_age = 3600s
[filter:swap]
use = egg:tower#replace
replace = a
with = %(db_password)s
[filter:id]
use = egg:tower#request-id
[filter:late]
use = egg:tower#timeout
timeout = 1500ms
[filter:timing]
use = egg:tower#hooks
hooks = egg:tower#server-timing
[composite:tries]
use = egg:tower#cascade
replay_limit = 1 MB
app1 = files
app2 = text
app3 = link
[app:files]
use = egg:tower#static
document_root = %(here)s
well_known = on
[app:text]
use = egg:tower#text
text = hello
status = 0404
[app:link]
use = egg:tower#redirect
location = http://me:hunter2@example.org/
";

#[test]
fn deploy_61_each_setting_has_its_effective_value() {
    let folder = Folder::new("explain", "x.ini", SITE);
    let (code, out, err) = run(&folder, &["explain", "x.ini"]);
    assert_eq!((code, &*err), (Some(0), ""));
    let here = folder.0.display();
    assert_eq!(
        out,
        format!(
            "\
server egg:tower#http  [server:main] x.ini:3
    port = 80
    header_timeout = 1m 30s
    host = 127.0.0.1  (default)
    keep_alive_timeout = 1m 15s  (default)
    body_timeout = 1m  (default)
    write_timeout = 1m  (default)
    drain_timeout = 30s  (default)
    lingering_bytes = 32 MiB  (default)
    lingering_time = 30s  (default)
    connections = 10000  (default)
    half_close = no  (default)
    connect_protocol = no  (default)
    log_format = combined  (default)
filter egg:tower#body-limit  [filter:limit] x.ini:9
    limit = 64 KiB
filter egg:tower#origin  [filter:origin] x.ini:12
    trusted = 10.0.0.0/8 ::1
    trusted_without_address = no  (default)
    only_forwarded = no  (default)
    only_x_forwarded = no  (default)
    https = no  (default)
filter egg:tower#cors  [filter:cors] x.ini:16
    origins = https://example.org
    max_age = 1h
    credentials = no  (default)
filter egg:tower#replace  [filter:swap] x.ini:20
    replace = a
    with = [redacted]
    types = text/html  (default)
    ignoring_case = no  (default)
    once = no  (default)
filter egg:tower#request-id  [filter:id] x.ini:24
    header = x-request-id  (default)
filter egg:tower#timeout  [filter:late] x.ini:26
    timeout = 1s 500ms
    status = 503  (default)
filter egg:tower#hooks  [filter:timing] x.ini:29
│   skip_after_on_abort = no  (default)
└── egg:tower#server-timing → hook egg:tower#server-timing
composite egg:tower#cascade  [composite:tries] x.ini:32
│   replay_limit = 1 MB
│   catch = 404  (default)
│   allow_auth_statuses = no  (default)
│   x_cascade_header = no  (default)
├── app1 → app egg:tower#static  [app:files] x.ini:38
│       document_root = {here}
│       well_known = yes
│       dotfiles = no  (default)
│       index = yes  (default)
│       content_cache = 16 MiB  (default)
├── app2 → app egg:tower#text  [app:text] x.ini:42
│       text = hello
│       status = 404
│       content_type = text/plain; charset=utf-8  (default)
└── app3 → app egg:tower#redirect  [app:link] x.ini:46
        location = http://[redacted]@example.org/
        status = 307  (default)
"
        )
    );
}

#[cfg(feature = "proxy")]
#[test]
fn deploy_61_a_proxy_has_its_times_and_its_host() {
    let file = "[app:main]\nuse = egg:tower#proxy\naddress = http://127.0.0.1:1\ntrusted = ::1\n";
    let folder = Folder::new("explain-proxy", "x.ini", file);
    let (code, out, err) = run(&folder, &["explain", "x.ini"]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert_eq!(
        out,
        "\
app egg:tower#proxy  [app:main] x.ini:1
    address = http://127.0.0.1:1
    trusted = ::1
    host = auto  (default)
    protocol = negotiated  (default)
    keep_alive = 4s  (default)
    connect_timeout = 5s  (default)
    header_timeout = 1m  (default)
    idle_timeout = 1m  (default)
    map_locations = no  (default)
"
    );
}

/// A setting that no struct has is shown as it is written.
#[test]
fn deploy_61_free_keys_and_errors_are_shown_as_written() {
    let file = "\
[pipeline:main]
pipeline = names limit text
[filter:names]
use = egg:tower#set-header
x-a =  b
[filter:limit]
use = egg:tower#body-limit
limit = 64 kk
[app:text]
use = egg:tower#text
status = 0200
";
    let folder = Folder::new("explain-raw", "x.ini", file);
    let (code, out, err) = run(&folder, &["explain", "x.ini"]);
    assert_eq!((code, &*err), (Some(0), ""));
    assert_eq!(
        out,
        "\
filter egg:tower#set-header  [filter:names] x.ini:3
    x-a = b
filter egg:tower#body-limit  [filter:limit] x.ini:6
    limit = 64 kk
app egg:tower#text  [app:text] x.ini:9
    status = 0200
"
    );
}

#[test]
fn deploy_61_json_has_effective_values_and_the_server() {
    let file = "\
[server:main]
use = egg:Paste#http
bind = unix:/run/x.sock
daemon_threads = yes
[app:main]
use = egg:tower#text
text = x
filter-with = limit
[filter:limit]
use = egg:tower#body-limit
limit = 1M
";
    let folder = Folder::new("explain-json", "x.ini", file);
    let (code, out, err) = run(&folder, &["explain", "x.ini", "--format", "json"]);
    assert_eq!((code, &*err), (Some(0), ""));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["part"], "filter-with");
    let limit = &json["filter"];
    assert_eq!(limit["local"]["limit"], "1M");
    assert_eq!(limit["effective"]["limit"], "1 MiB");
    assert_eq!(
        json["next"]["effective"],
        serde_json::json!({
            "text": "x",
            "status": "200",
            "content_type": "text/plain; charset=utf-8",
        })
    );
    assert_eq!(json["server"]["part"], "server");
    assert_eq!(
        json["server"]["effective"],
        serde_json::json!({
            "bind": "unix:/run/x.sock",
            "daemon_threads": "yes",
            "header_timeout": "10s",
            "keep_alive_timeout": "1m 15s",
            "body_timeout": "1m",
            "write_timeout": "1m",
            "drain_timeout": "30s",
            "lingering_bytes": "32 MiB",
            "lingering_time": "30s",
            "connections": "10000",
            "half_close": "no",
            "connect_protocol": "no",
            "log_format": "combined",
        })
    );
    let (_, chart, _) = run(&folder, &["explain", "x.ini", "--format", "mermaid"]);
    assert_eq!(
        chart,
        "\
flowchart TD
    n0[\"server egg:Paste#http  [server:main] x.ini:1\"]
    n1[\"filter egg:tower#body-limit  [filter:limit] x.ini:9\"]
    n0 --> n1
    n2[\"app egg:tower#text  [app:main] x.ini:5\"]
    n1 --> n2
"
    );
}

#[test]
fn deploy_61_a_server_that_cannot_be_planned_is_an_error() {
    let file = "[app:main]\nuse = egg:tower#panic\n[server:main]\nuse = egg:waitress#main\n";
    let folder = Folder::new("explain-server", "x.ini", file);
    let (code, out, err) = run(&folder, &["explain", "x.ini"]);
    assert_eq!((code, &*out), (Some(1), ""));
    let here = folder.0.display();
    assert_eq!(
        err,
        format!(
            "\
error: [server:main] use: egg:waitress#main is a server for Python
 --> {here}/x.ini:4:7
  |
4 | use = egg:waitress#main
  |       ^^^^^^^^^^^^^^^^^
  |
  = help: write `use = egg:tower#http`, with `host` and `port`, or with `bind = HOST:PORT`
"
        )
    );
}
