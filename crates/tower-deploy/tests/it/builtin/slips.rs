//! Common mistakes in files. Each error has the fault, its position, and the correct text.

use tower_deploy::Registry;

use super::{loader, wrong};

/// Returns the error of `[server:main]` in a file.
fn wrong_server(settings: &str) -> String {
    let text = format!("[server:main]\n{settings}\n");
    let loader = loader(Registry::standard(), &[("main.ini", &text)]);
    let error = loader.load_server("config:/site/main.ini").unwrap_err();
    error.to_string()
}

#[test]
fn deploy_8_a_circle_through_files_names_them() {
    let files = [
        ("main.ini", "[app:main]\nuse = config:other.ini\n"),
        ("other.ini", "[app:main]\nuse = config:main.ini\n"),
    ];
    let error = loader(Registry::standard(), &files).load_app("config:/site/main.ini");
    assert_eq!(
        error.unwrap_err().to_string(),
        "/site/other.ini:2:7: [app:main] use: the section leads back to itself: [app:main] of /site/main.ini → [app:main] of /site/other.ini → [app:main] of /site/main.ini (take one of these references out)"
    );
}

#[test]
fn deploy_14_a_section_of_another_type_is_named() {
    let filter = "[filter:f]\nuse = egg:tower#lint\n";
    let app = "[app:a]\nuse = egg:tower#text\ntext = x\n";
    for (main, expected) in [
        (
            "[pipeline:main]\npipeline = a f\n",
            "/site/main.ini:2:12: [pipeline:main] pipeline: [filter:f] (line 3 of /site/main.ini) is a filter, not an app (a filter wraps an app: write `pipeline = f APP`, or `filter-with = f` in the section of the app)",
        ),
        (
            "[app:main]\nuse = f\n",
            "/site/main.ini:2:7: [app:main] use: [filter:f] (line 3 of /site/main.ini) is a filter, not an app (a filter wraps an app: write `pipeline = f APP`, or `filter-with = f` in the section of the app)",
        ),
        (
            "[pipeline:main]\npipeline = a a\n",
            "/site/main.ini:2:12: [pipeline:main] pipeline: [app:a] (line 5 of /site/main.ini) is an app, not a filter (an app is the last word of a pipeline, after its filters)",
        ),
        (
            "[app:main]\nuse = egg:tower#lint\n",
            "/site/main.ini:2:7: [app:main] use: egg:tower#lint is a filter, not an app or a composite (its section would be [filter:NAME])",
        ),
        (
            "[app:main]\nuse = a\nfilter-with = egg:tower#text\n",
            "/site/main.ini:3:15: [app:main] filter-with: egg:tower#text is an app, not a filter (its section would be [app:NAME])",
        ),
    ] {
        assert_eq!(wrong(&format!("{main}{filter}{app}")), expected);
    }
    assert_eq!(
        wrong("[filter:main]\nuse = egg:tower#lint\n"),
        "/site/main.ini:1:1: [filter:main] (line 1 of /site/main.ini) is a filter, not an app (a filter wraps an app: write `pipeline = main APP`, or `filter-with = main` in the section of the app)"
    );
}

#[test]
fn deploy_14_indents_comments_and_quotes_are_noticed() {
    let rest = "[app:b]\nuse = egg:tower#text\ntext = y\n[filter:f]\nuse = egg:tower#lint\n";
    for (main, expected) in [
        (
            "[app:main]\nuse = egg:tower#text\n  text = x\n",
            "/site/main.ini:3:3: [app:main] use: the value continues in the indented line `text = …` (write `text` without the indent, unless it belongs to the value)",
        ),
        (
            "[pipeline:main]\npipeline = f b\n  filter-with = f\n",
            "/site/main.ini:3:3: [pipeline:main] pipeline: the value continues in the indented line `filter-with = …` (write `filter-with` without the indent, unless it belongs to the value)",
        ),
        (
            "[composite:main]\nuse = egg:tower#urlmap\n/ = b\n  /x = b\n",
            "/site/main.ini:3:5: [composite:main] /: the value continues in the indented line `/x = …` (write `/x` without the indent, unless it belongs to the value)",
        ),
        (
            "[app:main]\nuse = b\n\n [app:c]\n use = b\n",
            "/site/main.ini:4:2: [app:main] use: the value continues in the indented line `[app:c]` (write `[app:c]` without the indent, unless it belongs to the value)",
        ),
        (
            "[app:main]\nuse = egg:tower#text\n  text: x\n",
            "/site/main.ini:3:3: [app:main] use: the value continues in the indented line `text = …` (write `text` without the indent, unless it belongs to the value)",
        ),
        (
            "[app:main]\nuse = \"egg:tower#text\"\ntext = x\n",
            "/site/main.ini:2:7: [app:main] use: the quotes are part of the value (write it without them: egg:tower#text)",
        ),
        (
            "[pipeline:main]\npipeline = f 'b'\n",
            "/site/main.ini:2:14: [pipeline:main] pipeline: the quotes are part of the value (write it without them: b)",
        ),
        (
            "[app:main]\nuse = egg:tower#text # the text\ntext = x\n",
            "/site/main.ini:2:22: [app:main] use: the comment is part of the value (write the comment in a line of its own, and here only `egg:tower#text`)",
        ),
        (
            "[app:main]\nuse = b ; the text\n",
            "/site/main.ini:2:9: [app:main] use: the comment is part of the value (write the comment in a line of its own, and here only `b`)",
        ),
        (
            "[composite:main]\nuse = egg:tower#urlmap\n/ = b # the text\n",
            "/site/main.ini:3:7: [composite:main] /: the comment is part of the value (write the comment in a line of its own, and here only `b`)",
        ),
    ] {
        assert_eq!(wrong(&format!("{main}{rest}")), expected);
    }
    // In these values it is no mistake.
    assert!(
        super::load(&[(
            "main.ini",
            "[app:main]\nuse = egg:tower#text\ntext = \"x\" ; y\n  z = 1\n"
        )])
        .is_ok()
    );
}

#[test]
fn deploy_14_a_wrong_value_is_marked() {
    for (settings, expected) in [
        (
            "app text\ntext = x\nstatus = 1000",
            "4:10: [app:it] status: 1000 is not from 200 to 999",
        ),
        (
            "app text\ntext = x\nstatus = 103",
            "4:10: [app:it] status: 103 is not from 200 to 999",
        ),
        (
            "app text\ntext = x\ncontent_type =",
            "4:1: [app:it] content_type: it is empty, and not a type (write a type, such as text/html; charset=utf-8)",
        ),
        (
            "app text\ntext = x\ncontent_type = text plain",
            "4:16: [app:it] content_type: `text plain` is no media type (write a type, such as text/html; charset=utf-8)",
        ),
        (
            "app text\ntext = x\ncontent_type = json",
            "4:16: [app:it] content_type: `json` is no media type (",
        ),
        (
            "app text\ntext = x\ncontent_type = text/html, x",
            "4:16: [app:it] content_type: `text/html, x` is no media type (",
        ),
        (
            "app text\ntext = x\ncontent_type = text/html; charset",
            "4:16: [app:it] content_type: `text/html; charset` is no media type (",
        ),
        (
            "app redirect\nlocation =",
            "3:1: [app:it] location: it is not a URL: it is empty, or has spaces or characters that are not ASCII",
        ),
        (
            "app redirect\nlocation = /x ; to x",
            "3:15: [app:it] location: the comment is part of the value (write the comment in a line of its own, and here only `/x`)",
        ),
        (
            "filter timeout\ntimeout = 0s",
            "3:11: [filter:it] timeout: it has to be longer than nothing",
        ),
        (
            "filter request-id\nheader = a b",
            "3:10: [filter:it] header: `a b` is not a header's name (write a name, such as x-request-id)",
        ),
        (
            "filter cors\norigins = *\nexpose = a:b",
            "4:10: [filter:it] expose: `a:b` is not a header's name",
        ),
        (
            "filter cors\norigins = https://b.example\n  https://a.example,",
            "4:3: [filter:it] origins: `https://a.example,` is not an origin (separate origins by spaces and not by commas)",
        ),
        (
            "filter cors\norigins = https://a.example https://*.example.org",
            "3:29: [filter:it] origins: `https://*.example.org` is not an origin (write each origin out, or only * for all origins)",
        ),
        (
            "filter cors\norigins = https://a.example:443",
            "3:11: [filter:it] origins: `https://a.example:443` is not an origin (leave out the port that https has by default: https://a.example)",
        ),
        (
            "filter cors\norigins = https://a.example:x",
            "3:11: [filter:it] origins: `https://a.example:x` is not an origin (write a port from 1 to 65535, or none)",
        ),
        (
            "filter cors\norigins = https://é.example",
            "3:11: [filter:it] origins: `https://é.example` is not an origin (write the host as browsers send it, in ASCII: xn--…)",
        ),
        (
            "filter cors\norigins = https://me:pw@a.example",
            "3:11: [filter:it] origins: `https://[redacted]@a.example` is not an origin (leave out the user: https://a.example)",
        ),
        (
            "filter cors\norigins = *\nmethods = GET get",
            "4:15: [filter:it] methods: `get` is not a method, such as GET",
        ),
        (
            "filter origin\nonly_forwarded = yes\nx_forwarded = prefix host",
            "4:22: [filter:it] x_forwarded: with `only_forwarded`, X-Forwarded-Host is not read (take out `host`, or `only_forwarded`)",
        ),
        (
            "filter origin\nx_forwarded = port\nonly_forwarded = yes",
            "3:15: [filter:it] x_forwarded: with `only_forwarded`, X-Forwarded-Port is not read (take out `port`, or `only_forwarded`)",
        ),
        (
            "filter prefix\nprefix = x\ntypes = a b",
            "4:9: [filter:it] types: ",
        ),
        (
            "filter replace\nreplace =\nwith = x",
            "3:1: [filter:it] replace: ",
        ),
        ("filter mount\npath = x", "3:8: [filter:it] path: "),
        ("filter origin\ntrusted = x", "3:11: [filter:it] trusted: "),
        ("filter origin\nprefix = x", "3:10: [filter:it] prefix: "),
        (
            "composite urlmap\n/ = b\nfilter_with = f",
            "4:1: [composite:it] filter_with: the key is not known (did you mean `filter-with`?)",
        ),
        (
            "composite cascade\napp1 = b\nfilter_with = f",
            "4:1: [composite:it] filter_with: the key is not known (did you mean `filter-with`?)",
        ),
        (
            "composite router\nSet x = b",
            "3:1: [composite:it] Set x: the key is not known (did you mean `set x`?)",
        ),
        (
            "composite urlmap\ndomain x port 99999 / = b",
            "3:1: [composite:it] domain x port 99999 /: `99999` is not a port from 1 to 65535 (write /path, ",
        ),
    ] {
        let (kind, rest) = settings.split_once(' ').unwrap();
        let main = match kind {
            "filter" => "[pipeline:main]\npipeline = it b",
            _ => "[pipeline:main]\npipeline = it",
        };
        let b = "[app:b]\nuse = egg:tower#text\ntext = x";
        let file = format!("[{kind}:it]\nuse = egg:tower#{rest}\n{main}\n{b}\n");
        let found = wrong(&file);
        let found = found.strip_prefix("/site/main.ini:").unwrap();
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn deploy_7_a_heading_needs_its_bracket() {
    for (text, expected) in [
        (
            "[app:main\nuse = egg:tower#text\n",
            "/site/main.ini:1:1: a section without its `]` (write `[app:main]`)",
        ),
        (
            "[app:main]\nuse = egg:tower#text\n[server:main ; x\nport = 1\n",
            "/site/main.ini:3:1: [app:main] a section without its `]` (write `[server:main]`)",
        ),
        (
            "[",
            "/site/main.ini:1:1: a section without its `]` (write `[app:main]`)",
        ),
    ] {
        assert_eq!(wrong(text), expected);
    }
}

#[test]
fn deploy_11_invalid_sizes_are_errors() {
    let limit = |size: &str| {
        wrong(&format!(
            "[app:main]\nuse = egg:tower#text\ntext = x\nfilter-with = l\n[filter:l]\nuse = egg:tower#body-limit\nlimit = {size}\n"
        ))
    };
    for size in ["10 MBs", "-1", "1.5x", "1e3", "99999999999 TB", "ten"] {
        assert_eq!(
            limit(size),
            format!(
                "/site/main.ini:7:9: [filter:l] limit: `{size}` is not a size, such as 500, 64k or 64 KiB (65,536 bytes), or 64 kB (64,000 bytes)"
            )
        );
    }
    assert_eq!(
        limit(""),
        "/site/main.ini:7:1: [filter:l] limit: it is empty, and not a size, such as 500, 64k or 64 KiB (65,536 bytes), or 64 kB (64,000 bytes)"
    );
    assert_eq!(
        limit("10 MB ; of a body"),
        "/site/main.ini:7:15: [filter:l] limit: the comment is part of the value (write the comment in a line of its own, and here only `10 MB`)"
    );
    assert_eq!(
        wrong(
            "[composite:main]\nuse = egg:tower#cascade\napp1 = a\nreplay_limit = 1.5x\n[app:a]\nuse = egg:tower#text\ntext = x\n"
        ),
        "/site/main.ini:4:16: [composite:main] replay_limit: `1.5x` is not a size, such as 500, 64k or 64 KiB (65,536 bytes), or 64 kB (64,000 bytes)"
    );
}

#[test]
fn deploy_23_an_error_of_a_server_has_its_key() {
    for (settings, expected) in [
        (
            "host = localhost:8080",
            "3:8: [server:main] host: `localhost:8080` is more than a host (write `bind = localhost:8080` instead of `host` and `port`)",
        ),
        (
            "host = [::1]:8080\nport = 80",
            "3:8: [server:main] host: `[::1]:8080` is more than a host (write `bind = [::1]:8080` instead of `host` and `port`)",
        ),
        (
            "host = unix:/run/site.sock",
            "3:8: [server:main] host: `unix:/run/site.sock` is more than a host (write `bind = unix:/run/site.sock` instead of `host` and `port`)",
        ),
        (
            "host = http://localhost/",
            "3:8: [server:main] host: `http://localhost/` is a URL (expected `localhost`)",
        ),
        (
            "host = 127.0.0.1 ; this machine",
            "3:18: [server:main] host: the comment is part of the value (write the comment in a line of its own, and here only `127.0.0.1`)",
        ),
        (
            "host = \"localhost\"",
            "3:8: [server:main] host: the quotes are part of the value (write it without them: localhost)",
        ),
        (
            "port = 80 ; comment",
            "3:11: [server:main] port: the comment is part of the value (write the comment in a line of its own, and here only `80`)",
        ),
        (
            "port = 80\n  host = localhost",
            "4:3: [server:main] port: the value continues in the indented line `host = …` (write `host` without the indent, unless it belongs to the value)",
        ),
        (
            "header_timeout = 10s # comment",
            "3:22: [server:main] header_timeout: the comment is part of the value (write the comment in a line of its own, and here only `10s`)",
        ),
        (
            "bind = localhost",
            "3:8: [server:main] bind: `localhost` has no port (expected `localhost:8080`)",
        ),
        (
            "port = 1\nbind = unix:/x",
            "4:8: [server:main] bind: the address is set twice: `bind`, and `host` or `port` (take one of them out)",
        ),
        (
            "header_timeout = 0",
            "3:18: [server:main] header_timeout: `header_timeout` has to be longer than nothing",
        ),
        (
            "body_timeout = 0",
            "3:16: [server:main] body_timeout: `body_timeout` has to be longer than nothing",
        ),
        (
            "write_timeout = 0",
            "3:17: [server:main] write_timeout: `write_timeout` has to be longer than nothing",
        ),
        (
            "connections = 0",
            "3:15: [server:main] connections: `connections` is 0, and so no client could connect",
        ),
    ] {
        for server in ["tower", "Paste"] {
            let settings = format!("use = egg:{server}#http\n{settings}");
            assert_eq!(
                wrong_server(&settings),
                format!("/site/main.ini:{expected}")
            );
        }
    }
}

#[test]
fn deploy_14_a_server_of_python_is_named_with_the_one_here() {
    for server in [
        "waitress#main",
        "waitress",
        "gunicorn#main",
        "bjoern",
        "eventlet",
        "flup",
        "gevent",
        "hypercorn",
        "meinheld",
        "Twisted",
        "uvicorn",
        "PasteScript#wsgiutils",
        "PasteScript#cherrypy",
        "CherryPy",
        "uWSGI",
    ] {
        let name = match server.contains('#') {
            true => server.to_owned(),
            false => format!("{server}#main"),
        };
        assert_eq!(
            wrong_server(&format!(
                "use = egg:{server}\nhost = 127.0.0.1\nport = 6543"
            )),
            format!(
                "/site/main.ini:2:7: [server:main] use: egg:{name} is a server for Python (write `use = egg:tower#http`, with `host` and `port`, or with `bind = HOST:PORT`)"
            )
        );
    }
    assert_eq!(
        wrong_server("use = egg:Paste#threadpool"),
        "/site/main.ini:2:7: [server:main] use: there is no server egg:Paste#threadpool (known: http)"
    );
    // A program may have one of this name.
    let registry = Registry::new().server("waitress", |_, (): ()| {
        Ok::<_, std::io::Error>(tower_deploy::Server::new(|_| std::future::ready(Ok(()))))
    });
    let file = ("main.ini", "[server:main]\nuse = egg:waitress#main\n");
    assert!(
        loader(registry, &[file])
            .load_server("config:/site/main.ini")
            .is_ok()
    );
}

/// PasteScript names the servers of flup so, and flup's own names are shorter.
#[cfg(feature = "gateway")]
#[test]
fn deploy_65_the_servers_of_flup_are_named_with_those_here() {
    let listening = |name: &str| {
        format!("`use = egg:tower#{name}`, with `host` and `port`, or with `bind = unix:PATH`")
    };
    let without = "`use = egg:tower#cgi`, without an address".to_owned();
    let http =
        "`use = egg:tower#http`, with `host` and `port`, or with `bind = HOST:PORT`".to_owned();
    for (server, expected) in [
        ("PasteScript#flup_fcgi_thread", listening("fastcgi")),
        ("PasteScript#flup_fcgi_fork", listening("fastcgi")),
        ("Flup#fcgi_fork", listening("fastcgi")),
        ("PasteScript#flup_scgi_thread", listening("scgi")),
        ("PasteScript#flup_scgi_fork", listening("scgi")),
        ("PasteScript#cgi", without),
        // There is no server for AJP.
        ("PasteScript#flup_ajp_thread", http),
    ] {
        let settings = format!("use = egg:{server}\nsocket = /run/site.sock");
        assert_eq!(
            wrong_server(&settings),
            format!(
                "/site/main.ini:2:7: [server:main] use: egg:{server} is a server for Python \
                 (write {expected})"
            )
        );
    }
}

#[cfg(feature = "gateway")]
#[test]
fn deploy_65_a_mistake_in_a_server_for_a_web_server_is_named() {
    for (settings, expected) in [
        (
            "fastcgi\nbind = unix:/run/a.sock\nport = 1",
            "3:8: [server:main] bind: the address is set twice: `bind`, and `host` or `port` \
             (take one of them out)",
        ),
        (
            "scgi\nrequests = 3",
            "3:12: [server:main] requests: a connection of SCGI has one request (take it out)",
        ),
        (
            "fastcgi\nrequests = 0",
            "3:12: [server:main] requests: `requests` is 0, and so there could be no request",
        ),
        (
            "fastcgi\nbody_timeout = 0s",
            "3:16: [server:main] body_timeout: `body_timeout` has to be longer than nothing",
        ),
    ] {
        let found = wrong_server(&format!("use = egg:tower#{settings}"));
        assert_eq!(found, format!("/site/main.ini:{expected}"));
    }
    let found = wrong_server("use = egg:tower#cgi\nport = 1");
    assert!(found.contains("port"), "{found}");
    let found = wrong_server("use = egg:tower#cgi\nmount = app");
    assert!(
        found.ends_with("(write a path, or `script-name`)"),
        "{found}"
    );
}
