"""The filter error-documents beside `error_page` of nginx: sixty requests to the two
configurations of docs/error-documents.md, with the same pages and the same app behind them.

Run by `just error-documents`, which builds tower-deploy first. nginx is Debian's package. The
status and the body have to be the same; for HEAD, the status and the length. The tables of that
page have each difference, and which fields are sent. The script fails for a difference that is not
there, and for one that is gone.
"""

import http.client
import http.server
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = pathlib.Path(os.environ.get("DEPLOY", ROOT / "target" / "debug" / "tower-deploy"))
PAGE = ROOT / "docs" / "error-documents.md"
PAGES = ["401.html", "404.html", "405.html", "412.html", "416.html", "50x.html", "gone.html"]


class App(http.server.BaseHTTPRequestHandler):
    """Responds with the status in its path, and has two pages and three that fail."""

    protocol_version = "HTTP/1.1"

    def respond(self):
        length = len(self.rfile.read(int(self.headers.get("content-length", 0))))
        url = urllib.parse.urlsplit(self.path)
        options = dict(urllib.parse.parse_qsl(url.query))
        kinds = {
            "/own": (200, "text/html", f"<p>a page for {self.command}, {length} bytes", {}),
            "/failing-own": (503, "text/html", "<p>the page itself fails", {}),
            "/failing": (500, "text/html", "<p>no database for the page", {}),
            "/redirect": (302, "text/html", "<p>elsewhere", {"location": "/a.txt"}),
        }
        if url.path in kinds:
            status, content_type, body, headers = kinds[url.path]
            # As a file would do.
            if "range" in self.headers and status == 200:
                headers = {"content-range": f"bytes 0-2/{len(body)}"}
                status, body = 206, body[:3]
        else:
            status = int(url.path.rsplit("/", 1)[1])
            content_type = options.get("type", "text/plain")
            body = f"the app says {status}" * int(options.get("times", 1))
            headers = {"set-cookie": "a=1", "etag": '"app"'}
            headers.update({
                401: {"www-authenticate": 'Basic realm="app"'},
                405: {"allow": "GET"},
                503: {"retry-after": "9"},
            }.get(status, {}))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", content_type)
        body = body.encode()
        if "chunked" in options:
            self.send_header("transfer-encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            cut = 100 if "cut" in options else 0
            self.send_header("content-length", str(len(body) + cut))
            self.close_connection = bool(cut)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = respond

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    # A client that drops a body is no failure of this script.
    def handle_error(self, *_):
        pass


FUTURE = "Tue, 01 Jan 2199 00:00:00 GMT"
PAST = "Tue, 15 Nov 1994 08:12:31 GMT"
# Method, target, headers, body.
REQUESTS = [
    *[("GET", f"/app/{status}") for status in
      [400, 401, 402, 403, 404, 405, 409, 410, 411, 413, 422, 423, 429, 451, 500, 502, 503, 504, 507]],
    *[("HEAD", f"/app/{status}") for status in [401, 404, 409, 410, 413, 423, 451, 503]],
    *[("POST", f"/app/{status}", {}, "a=b") for status in [402, 404, 405, 409, 410, 451, 500]],
    ("DELETE", "/app/503"),
    # What the failed request asks for must not cut the page.
    *[("GET", f"/app/{status}", {"Range": "bytes=0-2"}) for status in [402, 404, 410, 451, 503]],
    ("GET", "/app/404", {"If-None-Match": "*"}),
    ("GET", "/app/404", {"If-Modified-Since": FUTURE}),
    ("GET", "/app/404", {"If-Match": '"other"'}),
    ("GET", "/app/404", {"If-Unmodified-Since": PAST}),
    # Bodies of the app.
    ("GET", "/app/404?type=text/html"),
    ("GET", "/app/404?type=application/json"),
    ("GET", "/app/404?type=application/problem%2Bjson"),
    ("GET", "/app/404?times=0"),
    ("GET", "/app/404?times=9000"),
    ("GET", "/app/500?chunked=1"),
    ("GET", "/app/500?cut=1"),
    # An app that is down, and files.
    ("GET", "/down/"),
    ("GET", "/lost.txt"),
    ("HEAD", "/lost.txt"),
    ("GET", "/empty/"),
    ("POST", "/a.txt", {}, "a=b"),
    ("GET", "/a.txt", {"Range": "bytes=90-99"}),
    ("GET", "/a.txt", {"If-Match": '"other"'}),
    ("GET", "/a.txt", {"Range": "bytes=0-2"}),
    ("GET", "/404.html"),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def name(method, target, headers=None, body=None):
    headers = "".join(f", `{name}: {value}`" for name, value in (headers or {}).items())
    return f"`{method} {target}`{headers}"


def ask(port, method, target, headers=None, body=None):
    """Returns the status with a word about the body, the body, and the headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        text = response.read().decode()
        page = re.fullmatch(r"<p>This is (.*)\n", text)
        if method == "HEAD":
            short = f"length {response.headers.get('content-length')}"
        elif "<center>nginx" in text:
            short = "nginx's page"
        elif text.startswith(f"{response.status} "):
            short = "a short text"
        else:
            short = f"`{page[1] if page else text[:60]}`"
        return f"{response.status}, {short}", text, response.headers
    finally:
        connection.close()


def blocks(language):
    return "".join(re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.M | re.S))


def differences():
    """The rows of the page's table: request, nginx, here."""
    rows = re.findall(r"^\| (`[A-Z]+ /.*?) \| (.*?) \| (.*?) \| .* \|$", PAGE.read_text(), re.M)
    return {request: (nginx, here) for request, nginx, here in rows}


def fields():
    """The rows of the page's other table: field, request, nginx, here."""
    row = r"^\| `([\w-]+)` of (`[A-Z]+ /.*?) \| ((?:not )?sent) \| ((?:not )?sent) \|$"
    return re.findall(row, PAGE.read_text(), re.M)


def main():
    missing = [tool for tool in ["nginx"] if not shutil.which(tool)]
    assert not missing, f"not installed: {', '.join(missing)}"
    assert DEPLOY.exists(), f"{DEPLOY} is not built: just error-documents"
    assert len(REQUESTS) == 60, len(REQUESTS)
    # The server of nginx runs as another user if this one is root.
    folder = tempfile.mkdtemp(prefix="error-documents-")
    os.chmod(folder, 0o755)
    processes = []
    app = Server(("127.0.0.1", 0), App)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    try:
        files = pathlib.Path(folder, "files")
        for directory in [files, files / "empty", files / "folder"]:
            directory.mkdir()
        (files / "a.txt").write_text("abcdefghijklmnopqrstuvwxyz\n")
        for page in PAGES:
            (files / page).write_text(f"<p>This is {page}\n")
        ports = {8080: free_port(), 8088: free_port(), 8081: app.server_port, 8082: free_port()}

        def configuration(language):
            text = blocks(language).replace("/srv/files", str(files))
            return re.sub(r"\b80(80|88|81|82)\b", lambda port: str(ports[int(port[0])]), text)

        site = pathlib.Path(folder, "site.ini")
        site.write_text(configuration("ini"))
        conf = pathlib.Path(folder, "nginx.conf")
        conf.write_text(
            f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;\n"
            f"events {{ worker_connections 64; }}\nhttp {{ access_log off; types {{ text/html html; text/plain txt; }}\n"
            + "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in
                      ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
            + configuration("nginx") + "}\n")
        log = open(pathlib.Path(folder, "log"), "w")
        for command in [["nginx", "-p", folder, "-e", "stderr", "-c", conf], [DEPLOY, "serve", site]]:
            command = [str(part) for part in command]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        for port in [8088, 8080]:
            wait_for(ports[port])
        expected, same, wrong = differences(), 0, []
        sent = fields()
        assert sent, f"{PAGE} has no fields"
        for request in REQUESTS:
            nginx, their_text, their_headers = ask(ports[8088], *request)
            here, our_text, our_headers = ask(ports[8080], *request)
            for field, asked, *listed in [row for row in sent if row[1] == name(*request)]:
                found = ["sent" if field in headers else "not sent" for headers in [their_headers, our_headers]]
                if found != listed:
                    wrong.append(f"{field} of {asked}: {found}, listed as {listed}")
            is_same = (nginx, their_text) == (here, our_text)
            same += is_same
            found, listed = (nginx, here), expected.pop(name(*request), None)
            if is_same == (listed is not None) or (listed and listed != found):
                wrong.append(f"{name(*request)}: {found}, listed as {listed}")
            print(f"{'same     ' if is_same else 'different'} {name(*request)}: {nginx}"
                  + ("" if is_same else f"; here {here}"))
        wrong += [f"{request}: it is in the table, and not asked" for request in expected]
        print(f"{same} of {len(REQUESTS)} are the same, {len(REQUESTS) - same} differ")
        assert f"{same} of the sixty responses" in PAGE.read_text(), f"{PAGE.name} has another number"
        if wrong:
            print(*wrong, sep="\n")
            print(pathlib.Path(folder, "log").read_text()[-2000:])
            sys.exit(1)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)
        app.shutdown()
        shutil.rmtree(folder)


main()
