//! Path parameters as values of other types.

use std::{collections::HashMap, convert::Infallible, error::Error};

use http::{Request, Response};
use serde::Deserialize;
use tower::{ServiceExt, service_fn};
use tower_dispatch::{Dispatch, ParseArgsError, Pattern, UrlArgs};

/// Returns the path parameters of this pattern for this path.
fn args(pattern: Pattern, path: &str) -> UrlArgs {
    args_below("/", pattern, path)
}

fn args_below(mount: &str, pattern: Pattern, path: &str) -> UrlArgs {
    let app = service_fn(async |request: Request<()>| {
        let mut response = Response::new(http_body_util::Full::<bytes::Bytes>::default());
        response
            .extensions_mut()
            .extend(request.into_parts().0.extensions);
        Ok::<_, Infallible>(response)
    });
    let inner = Dispatch::builder().route(pattern, app).build().unwrap();
    let urls = Dispatch::builder().mount(mount, inner).build().unwrap();
    let request = Request::get(path).body(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let response = runtime.block_on(urls.oneshot(request)).unwrap();
    response.into_parts().0.extensions.remove().unwrap()
}

fn template(template: &str, path: &str) -> UrlArgs {
    args(Pattern::template(template).unwrap(), path)
}

#[derive(Debug, Deserialize, PartialEq)]
struct Page {
    tenant: Option<String>,
    id: u32,
    #[serde(default)]
    page: u8,
    format: Option<Format>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Xml,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Id(u64);

#[test]
fn dispatch_4_parameters_are_taken_by_position() {
    let found = template("/{id}/{name}", "/7/J%C3%B6rg");
    assert_eq!(found.parse(), Ok((7_u32, "Jörg".to_owned())));
    assert_eq!(found.parse(), Ok((Id(7), "Jörg")));
    assert_eq!(found.parse(), Ok(vec!["7", "Jörg"]));
    assert_eq!(template("/{x}/{y}", "/a/true").parse(), Ok(('a', true)));
    assert_eq!(
        template("/{x}/{y}", "/-1/0.5").parse(),
        Ok((-1_i8, 0.5_f64))
    );
    assert_eq!(
        template("/{x}/{y}", "/json/xml").parse(),
        Ok((Format::Json, Format::Xml))
    );
    let none = template("/a", "/a");
    assert_eq!(
        (none.is_empty(), none.len(), none.route_index()),
        (true, 0, 0)
    );
    assert_eq!(none.parse(), Ok(()));
    let groups = args(Pattern::regex("/(a)?(b)?").unwrap(), "/b");
    assert_eq!(groups.parse(), Ok((None::<String>, Some("b"))));
}

#[test]
fn dispatch_4_a_single_parameter_is_a_single_value() {
    let found = template("/{x}", "/42");
    assert_eq!(found.parse(), Ok(42_u8));
    assert_eq!(found.parse(), Ok(42_i64));
    assert_eq!(found.parse(), Ok(42_f32));
    assert_eq!(found.parse(), Ok("42"));
    assert_eq!(found.parse(), Ok("42".to_owned()));
    assert_eq!(found.parse(), Ok(Some(42_u16)));
    assert_eq!(found.parse(), Ok(Id(42)));
    assert_eq!(found.parse(), Ok((42_u32,)));
    assert_eq!(template("/{x}", "/json").parse(), Ok(Format::Json));
    assert_eq!(template("/a[/{x}]", "/a").parse(), Ok(None::<u32>));
}

#[test]
fn dispatch_4_parameters_are_taken_by_name() {
    let pattern = || Pattern::template("/{id:int}[/{page:int}[.{format}]]").unwrap();
    let page = |id, page, format| Page {
        tenant: Some("acme".to_owned()),
        id,
        page,
        format,
    };
    let parse = |path| args_below("/{tenant}", pattern(), path).parse();
    assert_eq!(parse("/acme/7"), Ok(page(7, 0, None)));
    assert_eq!(parse("/acme/7/2.json"), Ok(page(7, 2, Some(Format::Json))));
    let map: HashMap<String, String> = args_below("/{id}", pattern(), "/outer/7").parse().unwrap();
    assert_eq!(map, HashMap::from([("id".to_owned(), "7".to_owned())]));
}

#[test]
fn dispatch_4_an_absent_group_hides_the_mounts_value() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Both {
        x: Option<String>,
        y: Option<String>,
    }
    let both = |x: Option<&str>, y: Option<&str>| Both {
        x: x.map(str::to_owned),
        y: y.map(str::to_owned),
    };
    let args = |pattern, path| {
        let pattern = Pattern::template(pattern).unwrap();
        args_below("/{x}/{y}", pattern, path)
    };
    let table = [
        ("/a", "/1/2/a", both(Some("1"), Some("2"))),
        ("/a[/{x}]", "/1/2/a/3", both(Some("3"), Some("2"))),
        ("/a[/{x}]", "/1/2/a", both(None, Some("2"))),
        ("/a[/{y}]", "/1/2/a", both(Some("1"), None)),
    ];
    for (pattern, path, expected) in table {
        let args = args(pattern, path);
        assert_eq!(args.name("x"), expected.x.as_deref(), "{pattern} {path}");
        assert_eq!(args.name("y"), expected.y.as_deref(), "{pattern} {path}");
        assert_eq!(args.parse(), Ok(expected), "{pattern} {path}");
    }
    // The pattern has the group, so another path of the route has a value.
    let error = args("/a[/{x}]", "/1/2/a").parse::<HashMap<String, u8>>();
    assert_eq!(error, Ok(HashMap::from([("y".to_owned(), 2)])));
    #[derive(Debug, Deserialize)]
    struct Needs {
        #[allow(dead_code, reason = "it is only parsed")]
        x: u8,
    }
    let error = args("/a[/{x}]", "/1/2/a").parse::<Needs>().unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.is_permanent()),
        ("missing field `x`", false)
    );
}

#[test]
fn dispatch_4_an_error_names_the_parameter_and_the_reason() {
    let found = template("/{id}/{name}", "/x/y");
    let text = |error: ParseArgsError| error.to_string();
    let number = "path parameter `id`: cannot parse u32 (found \"x\")";
    assert_eq!(
        found.parse::<(u32, String)>().map_err(text),
        Err(number.into())
    );
    let count = "the pattern \"/{id}/{name}\" has 2 path parameters, and not 1";
    assert_eq!(found.parse::<(String,)>().map_err(text), Err(count.into()));
    assert_eq!(found.parse::<u32>().map_err(text), Err(count.into()));
    let count = "the pattern \"/{id}/{name}\" has 2 path parameters, and not 0";
    assert_eq!(found.parse::<()>().map_err(text), Err(count.into()));
    assert_eq!(found.parse::<Page>().map_err(text), Err(number.into()));

    let groups = args(Pattern::regex("/(a)?(b)?").unwrap(), "/b");
    let absent = "path parameter `0`: it is absent";
    assert_eq!(
        groups.parse::<(String, String)>().map_err(text),
        Err(absent.into())
    );
    let absent = "path parameter `x`: it is absent";
    assert_eq!(
        template("/a[/{x}]", "/a").parse::<u32>().map_err(text),
        Err(absent.into())
    );
    let missing = "missing field `id`";
    assert_eq!(
        template("/{x}", "/1").parse::<Page>().map_err(text),
        Err(missing.into())
    );
    let overflow = "path parameter `x`: cannot parse u8 (found \"256\")";
    assert_eq!(
        template("/{x:int}", "/256").parse::<u8>().map_err(text),
        Err(overflow.into())
    );
    let bytes = "path parameter `x`: one path parameter cannot be bytes (found \"1\")";
    let found = template("/{x}", "/1");
    assert_eq!(found.parse::<&[u8]>().map_err(text), Err(bytes.into()));
    assert_eq!(found.parse::<(&[u8],)>().map_err(text), Err(bytes.into()));
    let nested = template("/{x}", "/1").parse::<((u8,),)>().map_err(text);
    assert!(nested.unwrap_err().starts_with("path parameter `x`: "));
    let variant = template("/{x}", "/yaml").parse::<Format>().map_err(text);
    assert!(
        variant
            .unwrap_err()
            .contains("unknown variant `yaml`, expected `json` or `xml`")
    );
}

#[test]
fn dispatch_4_a_safe_path_stays_below_its_directory() {
    use tower_dispatch::UnsafePath::{Absent, Absolute, Backslash, Nul, Parent};
    let table = [
        ("/a/b.txt", Ok("a/b.txt")),
        ("/a//b/./c/", Ok("a//b/./c/")),
        ("/...", Ok("...")),
        ("/./b", Ok("./b")),
        ("/a%2Fb", Ok("a/b")),
        ("/..", Err(Parent)),
        ("/a/../b", Err(Parent)),
        ("/a/%2e%2E/b", Err(Parent)),
        ("/a%2F..%2Fb", Err(Parent)),
        ("//etc/passwd", Err(Absolute)),
        ("/%2Fetc", Err(Absolute)),
        ("/a%00b", Err(Nul)),
        ("/..%5Cb", Err(Backslash)),
    ];
    for (path, expected) in table {
        let found = template("/{*path}", path);
        let expected = expected.map(std::path::Path::new);
        assert_eq!(found.safe_path("path"), expected, "{path}");
        assert_eq!(found.safe_path("other"), Err(Absent));
    }
    let words = [Absent, Absolute, Parent, Nul, Backslash].map(|error| error.to_string());
    let expected = [
        "there is no such path parameter",
        "the path is not relative",
        "the path has a `..` segment",
        "the path has a NUL in it",
        "the path has a backslash in it",
    ];
    assert_eq!(words, expected);
}

#[test]
fn dispatch_4_an_error_has_its_source() {
    let source = |error: ParseArgsError| (error.parameter().map(str::to_owned), cause(&error));
    let table = [
        (
            template("/{x}", "/256").parse::<u8>().map_err(source).err(),
            Some("x"),
            Some("number too large to fit in target type"),
        ),
        (
            template("/{x}/{y}", "/1/z")
                .parse::<(u8, f32)>()
                .map_err(source)
                .err(),
            Some("y"),
            Some("invalid float literal"),
        ),
        (
            template("/{x}", "/yes")
                .parse::<bool>()
                .map_err(source)
                .err(),
            Some("x"),
            Some("provided string was not `true` or `false`"),
        ),
        (
            template("/{x}", "/ab")
                .parse::<(char,)>()
                .map_err(source)
                .err(),
            Some("x"),
            Some("too many characters in string"),
        ),
        (
            template("/{x}/{y}", "/1/2")
                .parse::<u8>()
                .map_err(source)
                .err(),
            None,
            None,
        ),
    ];
    for (got, parameter, cause) in table {
        let expected = (parameter.map(str::to_owned), cause.map(str::to_owned));
        assert_eq!(got, Some(expected));
    }
}

fn cause(error: &dyn Error) -> Option<String> {
    error.source().map(ToString::to_string)
}

#[test]
fn dispatch_4_numbers_may_have_128_bits() {
    let path = format!("/{}/{}", u128::MAX, i128::MIN);
    let found = template("/{x}/{y}", &path);
    assert_eq!(found.parse(), Ok((u128::MAX, i128::MIN)));
    assert_eq!(template("/{x}", "/-7").parse(), Ok(-7_i128));
    assert!(template("/{x}", "/-7").parse::<u128>().is_err());
}
