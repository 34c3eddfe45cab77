"""Makes wsgiref.jsonl: the variables that wsgiref, Python's own server for CGI, makes of the bytes of some requests.

    env -i python3 tests/cgi/make_table.py > tests/cgi/wsgiref.jsonl

A line is {"name", "request", "environ"}; every character of `request` and of the values is a byte (latin-1).
"""

import json
import socket
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

HOST = "Host: example.org\r\n"


def get(target, headers="", version="HTTP/1.1", method="GET", host=HOST, body=""):
    return f"{method} {target} {version}\r\n{host}{headers}\r\n{body}"


def post(content_type, body):
    headers = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return get("/post", headers, method="POST", body=body)


BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=8f14e45f; theme=dark\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Priority: u=0, i\r\n"
)

REQUESTS = {
    "root": get("/"),
    "a segment": get("/hello"),
    "a slash at the end": get("/hello/"),
    "an empty segment": get("/a//b"),
    "two slashes at the start": get("//a"),
    "dot segments": get("/a/./../b"),
    "encoded dot segments": get("/%2e%2e/a"),
    "an encoded letter": get("/%61dmin"),
    "an encoded slash": get("/a%2Fb"),
    "an encoded slash in lower case": get("/a%2fb"),
    "an encoded percent sign": get("/100%25"),
    "encoded twice": get("/%252F"),
    "an encoded space": get("/a%20b"),
    "a plus": get("/a+b"),
    "an encoded question mark": get("/a%3Fb?c"),
    "UTF-8": get("/J%C3%B6rg"),
    "latin-1": get("/J%F6rg"),
    "bytes that are no text": get("/%FF%FE%00"),
    "a broken escape": get("/%zz"),
    "a cut escape": get("/a%4"),
    "a lone percent sign": get("/a%"),
    "matrix parameters": get("/a;b=c/d,e"),
    "other characters": get("/~a!$&'()*+,;=:@-._b"),
    "a query": get("/a?b=c"),
    "an empty query": get("/a?"),
    "a query with encoding": get("/a?b=%20c+d&e=%C3%B6"),
    "a query with question marks": get("/a?b?c?"),
    "a query with a slash": get("/a?b=/c/../d"),
    "a query at the root": get("/?a"),
    "the whole server": get("*", method="OPTIONS"),
    "absolute form": get("http://other.example:81/a?b"),
    "HEAD": get("/a", method="HEAD"),
    "PUT without a body": get("/a", "Content-Length: 0\r\n", method="PUT"),
    "DELETE": get("/a", method="DELETE"),
    "PATCH": get("/a", method="PATCH"),
    "an extension method": get("/a", method="PROPFIND"),
    "HTTP/1.0": get("/a", version="HTTP/1.0"),
    "HTTP/1.0 without a host": get("/a", version="HTTP/1.0", host=""),
    "a host with a port": get("/a", host="Host: example.org:8080\r\n"),
    "a host that is an address": get("/a", host="Host: [2001:db8::1]:8080\r\n"),
    "a host in capitals": get("/a", host="HOST: EXAMPLE.ORG\r\n"),
    "a form": post("application/x-www-form-urlencoded", "a=b&c=d"),
    "a content type with parameters": post('multipart/form-data; boundary="x y"', "--x y--"),
    "a content type in capitals": post("TEXT/PLAIN; Charset=UTF-8", "hello"),
    "no content type": get("/a", "Content-Length: 2\r\n", method="POST", body="hi"),
    "a browser": get("/hello/John?lang=en", BROWSER),
    "a header in capitals": get("/a", "X-SHOUTING: Loud\r\n"),
    "a header in lower case": get("/a", "x-quiet: soft\r\n"),
    "a header with digits": get("/a", "X-1-2: 3\r\n"),
    "a header without a hyphen": get("/a", "Forwarded: for=192.0.2.1;proto=https\r\n"),
    "an empty header": get("/a", "X-Empty:\r\n"),
    "white space around a value": get("/a", "X-Space: \t a b \t \r\n"),
    "latin-1 in a header": get("/a", "X-Name: J\xf6rg\r\n"),
    "UTF-8 in a header": get("/a", "X-Name: J\xc3\xb6rg\r\n"),
    "a long header": get("/a", "X-Long: " + "x" * 4000 + "\r\n"),
    "credentials": get("/a", "Authorization: Basic am9objpkb2U=\r\n"),
    "a cookie": get("/a", "Cookie: a=b; c=d\r\n"),
    "conditions": get("/a", 'If-None-Match: W/"x", "y"\r\nIf-Modified-Since: Sat, 21 Nov 2026 00:00:00 GMT\r\n'),
    "a range": get("/a", "Range: bytes=0-9\r\n"),
    "forwarded": get("/a", "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"),
    "a header twice": get("/a", "Accept: text/html\r\nAccept: text/plain\r\n"),
    "a header thrice, apart": get("/a", "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nX-A: 4\r\n"),
    "a cookie twice": get("/a", "Cookie: a=b\r\nCookie: c=d\r\n"),
    "an underscore": get("/a", "X_User: root\r\n"),
    "an underscore beside a hyphen": get("/a", "X-User: john\r\nX_User: root\r\n"),
    "an underscore in content_length": get("/a", "Content_Length: 9\r\n"),
    "proxy": get("/a", "Proxy: http://evil.example\r\n"),
    "proxy in capitals": get("/a", "PROXY: http://evil.example\r\n"),
    "proxy-connection": get("/a", "Proxy-Connection: keep-alive\r\n"),
}


class Handler(WSGIRequestHandler):
    seen = None

    def get_environ(self):
        Handler.seen = super().get_environ()
        return Handler.seen

    def log_message(self, *_):
        pass


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "0")])
    return [b""]


def main():
    server = make_server("127.0.0.1", 0, app, handler_class=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, request in REQUESTS.items():
        Handler.seen = None
        with socket.create_connection(server.server_address, timeout=5) as connection:
            connection.sendall(request.encode("latin-1"))
            while connection.recv(65536):
                pass
        if Handler.seen is None:
            sys.exit(f"wsgiref refused: {name}")
        # The port changes from one run to the next.
        environ = {**Handler.seen, "SERVER_PORT": "8080"}
        print(json.dumps({"name": name, "request": request, "environ": environ}))
    server.shutdown()


main()
