//! What is wrong with a section, and where.

use super::load;

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let at = "/srv/site.ini:3:";
    for (settings, error) in [
        (
            "",
            "/srv/site.ini:1:2: [app:main] address: it is needed, and is not there (add `address = …`)",
        ),
        (
            "adress = http://h\n",
            "3:1: [app:main] adress: the key is not known (did you mean `address`?)",
        ),
        (
            "address = https://h\n",
            "3:11: [app:main] address: there is no TLS to an upstream; expected http: or unix:",
        ),
        (
            "trusted = 10.0.0.0/33\naddress = http://h\n",
            "3:11: [app:main] trusted: `10.0.0.0/33` is not an address or a network, such as 10.0.0.0/8 or ::1",
        ),
        (
            "host = theirs\naddress = http://h\n",
            "3:8: [app:main] host: `theirs` is not one of upstream, client",
        ),
        (
            "idle_timeout = 0s\naddress = http://h\n",
            "3:16: [app:main] idle_timeout: it has to be longer than nothing",
        ),
        (
            "header_timeout = long\naddress = http://h\n",
            "3:18: [app:main] header_timeout: `long` is not a duration, such as 30s, 500ms or 1h 30m",
        ),
        (
            "allowed_request_methods = GET CONNECT\naddress = http://h\n",
            "3:27: [app:main] allowed_request_methods: CONNECT cannot be passed on",
        ),
        (
            "allowed_request_methods = G,T\naddress = http://h\n",
            "3:27: [app:main] allowed_request_methods: `G,T` is not a method, such as GET",
        ),
        (
            "suppress_http_headers = a:b\naddress = http://h\n",
            "3:25: [app:main] suppress_http_headers: `a:b` is not a header's name, such as User-Agent",
        ),
    ] {
        let found = load(settings).unwrap_err().to_string();
        let wanted = match error.strip_prefix("3:") {
            Some(rest) => format!("{at}{rest}"),
            None => error.to_owned(),
        };
        assert_eq!(found, wanted);
    }
}

#[test]
fn a_password_in_an_address_is_not_shown() {
    let error = load("address = http://joe:hunter2@h\n").unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.report(false)).contains("hunter2"));
}

#[test]
fn all_settings_together_make_a_proxy() {
    let all = "address = http://example.org:8080/base\nallowed_request_methods = get POST\nsuppress_http_headers = User-Agent\nhost = client\nconnect_timeout = 1s\nheader_timeout = 2m\nidle_timeout = 500ms\ntrusted = 10.0.0.0/8 ::1 192.0.2.1\n";
    load(all).unwrap();
}
