"""The recipes of docs/in-front.md, each with the real program in front of tower-deploy, and a client that lies about itself."""

import contextlib
import http.client
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "in-front.md"
COMMAND = ROOT / "target" / "debug" / "tower-deploy"
# Another address than the fronts' own, so that the client can be told from them.
CLIENT = "127.0.0.2"


def forged(scheme):
    """What a client may send to lie, in one line and in several. The last scheme is the wrong one."""
    wrong = {"http": "https", "https": "http"}[scheme]
    return [
        ("Forwarded", f"for=6.6.6.6;host=evil.example;proto={wrong}"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", scheme),
        ("X-Forwarded-Proto", wrong),
        ("X-Forwarded-Port", "1"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Server", "evil.example"),
        ("X-Real-IP", "6.6.6.6"),
        ("Via", "1.0 evil"),
    ]

PATHS = [
    "/",
    "/a%2Fb",
    "/a%2fb/c",
    "/a//b",
    "//a/b",
    "/a/../b",
    "/a/%2e%2e/b",
    "/a%2F..%2Fb",
    "/a/./b",
    "/caf%C3%A9",
    "/a%20b",
    "/a;b=c/d",
    "/a%25b",
    "/a+b%2Bc",
    "/a?b=%2F&c=//d&e=%20f",
]


class Echo:
    """An upstream of the site that responds with the head that it got."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.socket.getsockname()[1]
        # The hosts that it was asked for, and when it sent the first part of its last stream.
        self.hosts, self.sent = [], None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError):
            while line := lines.readline():
                target = line.decode("latin-1").split(" ")[1]
                headers = []
                while (line := lines.readline().decode("latin-1").rstrip("\r\n")):
                    name, _, value = line.partition(":")
                    headers.append((name.lower(), value.strip()))
                named = dict(headers)
                self.hosts.append(named.get("x-forwarded-host"))
                length = self.read_body(lines, named)
                if target == "/stream":
                    return self.stream(connection)
                body = json.dumps({"target": target, "headers": headers, "length": length}).encode()
                head = f"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                if ("connection", "close") in headers:
                    return


    @staticmethod
    def read_body(lines, named):
        """Reads the content of a request, and returns its length."""
        if named.get("transfer-encoding") != "chunked":
            return len(lines.read(int(named.get("content-length", 0))))
        length = 0
        while size := int(lines.readline(), 16):
            length += len(lines.read(size + 2)) - 2
        lines.readline()
        return length

    def stream(self, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for number in range(3):
            self.sent = self.sent if number else time.monotonic()
            connection.sendall(b"data: event %d\n\n" % number)
            time.sleep(0.4)


class Site:
    """tower-deploy with the file of the page."""

    def __init__(self, folder, text, echo):
        file = folder.path / "site.ini"
        file.write_text(text.replace("8081", str(echo.port)))
        self.process = folder.start(
            COMMAND, "serve", file, "--bind", "127.0.0.1:0", stdout=subprocess.PIPE, stderr=open(folder.path / "site.log", "w")
        )
        for line in self.process.stdout:
            if found := re.match(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        raise SystemExit("tower-deploy did not start")


APACHE = "".join(
    f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
    for name in "mpm_event authz_core alias headers macro proxy proxy_http socache_shmcb ssl".split()
)


def started(folder, name, text, port):
    """Starts a front with a recipe, and what a whole configuration needs beside it."""
    path = folder.path / name
    name = name.split("-")[0]
    path.mkdir(mode=0o777)
    path.chmod(0o777)
    file = path / "conf"
    log = open(path / "log", "w")
    lines = {
        "nginx": f"daemon off; pid {path}/pid; error_log stderr warn; events {{}} http {{ access_log off;\n{text}\n}}\n",
        "apache": f"ServerRoot {path}\nPidFile {path}/pid\nErrorLog /dev/stderr\nServerName front.example\n{APACHE}{text}",
        "haproxy": f"defaults\n  mode http\n  timeout connect 5s\n  timeout client 9s\n  timeout server 9s\n{text}",
        "caddy": f"{{\n\tadmin off\n\tauto_https off\n}}\n{text}",
        "lighttpd": f'server.document-root = "{path}"\n{text}',
        "varnish": text,
        "squid": f"{text}pid_filename {path}/pid\ncache_log {path}/log\naccess_log none\ncache deny all\n"
        "visible_hostname front.example\nshutdown_lifetime 0 seconds\n",
    }
    file.write_text(lines[name])
    command = {
        "nginx": ["nginx", "-p", path, "-e", "stderr", "-c", file],
        "apache": ["apache2", "-X", "-f", file],
        "haproxy": ["haproxy", "-db", "-f", file],
        "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", file],
        "lighttpd": ["lighttpd", "-D", "-f", file],
        "varnish": ["varnishd", "-F", "-n", path / "work", "-a", f"127.0.0.1:{port}", "-f", file],
        "squid": ["squid", "-N", "-f", file],
    }
    return folder.start(*command[name], stdout=log, stderr=log)


def ask(port, path, tls=False, host="site.example", headers=None):
    """One request with exactly these headers, and the status and the body of its response."""
    headers = forged("https" if tls else "http") if headers is None else headers
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(CLIENT, 0)) as plain:
        connection = plain
        if tls:
            context = ssl._create_unverified_context()
            connection = context.wrap_socket(plain, server_hostname="site.example")
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close", *(f"{name}: {value}" for name, value in headers)]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode(errors="replace")


def recipes_of(page):
    """Yields the name and the text of each recipe, and yields the site's file first."""
    text = page.read_text()
    yield "site", re.search(r"^```ini\n(.*?)^```$", text, flags=re.M | re.S)[1]
    for title, recipe in re.findall(r"^## (\w+)$.*?^```\w+\n(.*?)^```$", text, flags=re.M | re.S):
        yield title.lower(), recipe


def replaced(folder, recipe, site, plain, tls):
    """The recipe with the files and ports of this run."""
    chain, key, both = (folder.path / name for name in ["site.pem", "site.key", "site.both"])
    both.write_text(chain.read_text() + key.read_text())
    key.chmod(0o644)
    for before, after in [
        ("8080", site),
        ("8088", plain),
        ("8443", tls),
        ("/etc/ssl/site.pem", chain),
        ("/etc/ssl/site.key", key),
        ("/etc/ssl/site.both", both),
        ("/srv/site/static", folder.path),
    ]:
        recipe = recipe.replace(before, str(after))
    return recipe


def until_healthy(port, process):
    """Waits until the front has found the site: HAProxy and Varnish check it first."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            if ask(port, "/")[0] == 200:
                return
        assert process.poll() is None
        time.sleep(0.1)
    raise AssertionError("the front does not find the site")


def check(front, echo, plain, tls):
    """What the app behind the site has to see of a client that lies."""
    for scheme, port in [("http", plain), ("https", tls)]:
        if port is None:
            continue
        for headers in [[], forged(scheme)]:
            for path in PATHS:
                status, body = ask(port, path, scheme == "https", headers=headers)
                assert status == 200, (front, scheme, path, status, body)
                head = json.loads(body)
                if front == "apache":
                    path = re.sub("^/+", "/", path)
                assert head["target"] == path, (front, path, head["target"])
                values = [value for name, value in head["headers"] if name == "x-forwarded-for"]
                assert values == [CLIENT], (front, values)
                for name, value in {"proto": scheme, "host": "site.example", "port": {"http": "80", "https": "443"}[scheme]}.items():
                    values = [value for header, value in head["headers"] if header == f"x-forwarded-{name}"]
                    assert values == [value], (front, name, values)
                names = {name for name, _ in head["headers"]}
                assert not names & {"forwarded", "x-real-ip", "x-forwarded-prefix", "x-forwarded-server"}, (front, names)
        status, body = ask(port, "/", scheme == "https", host="SITE.Example")
        assert status == 200 and dict(json.loads(body)["headers"])["x-forwarded-host"] == "site.example", (front, status, body)
        # A name of no site, and two lists of hosts that a client may try.
        for host in ["evil.example", "site.example.evil.example", "evil.example:80"]:
            before = len(echo.hosts)
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, body = ask(port, "/", scheme == "https", host=host)
                assert status != 200 or body == "", (front, host, status, body)
            # Health checks may have come meanwhile.
            assert {*echo.hosts[before:]} <= {"site.example"}, (front, echo.hosts[before:])


def streams(front, echo, port):
    """The first event of a stream comes at once: the least of three times."""
    late = []
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), 10, source_address=(CLIENT, 0)) as connection:
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
            text = b""
            while b"event 0" not in text:
                text += connection.recv(65536)
                assert text, front
            late.append(time.monotonic() - echo.sent)
            while connection.recv(65536):
                pass
    assert min(late) < 0.1, (front, late)
    return min(late)


def over_http2(front, folder, port):
    """curl over HTTP/2 gets the same, with the port that it names."""
    out = subprocess.run(
        ["curl", "-sS", "-k", "--http2", "--interface", CLIENT, "--resolve", f"site.example:{port}:127.0.0.1", "-w", "\n%{http_version}"]
        + [part for name, value in forged("https") for part in ["-H", f"{name}: {value}"]]
        + ["--path-as-is", f"https://site.example:{port}/a%2Fb//c"],
        capture_output=True, text=True, timeout=30, check=True,
    ).stdout
    body, _, version = out.rpartition("\n")
    head = json.loads(body)
    named = {name: value for name, value in head["headers"]}
    assert version == "2" and head["target"] == "/a%2Fb//c", (front, out)
    assert (named["x-forwarded-for"], named["x-forwarded-host"]) == (CLIENT, f"site.example:{port}"), (front, out)


def upload(front, folder, port):
    """curl sends 3 MB after a 100, with a length and in chunks."""
    file = folder.path / "upload"
    file.write_bytes(b"x" * 3_000_000)
    for headers in [[], ["-H", "Transfer-Encoding: chunked"]]:
        out = subprocess.run(
            ["curl", "-sS", "--http1.1", "--interface", CLIENT, "-H", "Host: site.example", "-H", "Expect: 100-continue", *headers]
            + ["--data-binary", f"@{file}", f"http://127.0.0.1:{port}/upload"],
            capture_output=True, text=True, timeout=30, check=True,
        ).stdout
        assert json.loads(out)["length"] == 3_000_000, (front, headers, out)


def handshake(front, folder, free_port, wait_for, recipe):
    """The recipe before a server that accepts each handshake of a WebSocket, and echoes one message."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)

    def serve():
        while True:
            connection, _ = listener.accept()
            head = b""
            with connection, contextlib.suppress(OSError):
                while b"\r\n\r\n" not in head:
                    part = connection.recv(65536)
                    if not part:
                        break
                    head += part
                if b"upgrade: websocket" in head.lower():
                    # The key's answer is that of RFC 6455, section 1.3. HAProxy checks it.
                    connection.sendall(
                        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                    )
                    connection.sendall(connection.recv(100))
                else:
                    # A health check.
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    port = free_port()
    text = replaced(folder, recipe, listener.getsockname()[1], port, free_port())
    process = started(folder, f"{front}-handshake", text, port)
    wait_for(port)
    until_healthy(port, process)
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(
            b"GET /chat HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        seen = b""
        while b"\r\n\r\n" not in seen:
            part = connection.recv(65536)
            assert part, (front, seen)
            seen += part
        assert seen.startswith(b"HTTP/1.1 101 "), (front, seen)
        connection.sendall(b"\x81\x82....\x46\x47")
        assert connection.recv(100) == b"\x81\x82....\x46\x47", front
    process.terminate()
    process.wait(20)


TOOLS = {
    "nginx": "nginx",
    "apache": "apache2",
    "haproxy": "haproxy",
    "caddy": "caddy",
    "lighttpd": "lighttpd",
    "varnish": "varnishd",
    "squid": "squid",
}


def recipes(folder, free_port, wait_for):
    missing = [tool for tool in TOOLS.values() if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"missing: {' '.join(missing)} (apt-get install {' '.join([*TOOLS, 'lighttpd-mod-openssl'])})")
    echo = Echo()
    folder.certificate("site", "site.example")
    folder.path.chmod(0o755)
    (_, file), *texts = recipes_of(PAGE)
    assert [name for name, _ in texts] == list(TOOLS), texts
    site = Site(folder, file, echo)
    for front, recipe in texts:
        plain, tls = free_port(), free_port()
        text = replaced(folder, recipe, site.port, plain, tls)
        process = started(folder, front, text, plain)
        wait_for(plain)
        until_healthy(plain, process)
        check(front, echo, plain, tls if "8443" in recipe else None)
        if re.search("http2|h2|caddy", recipe + front):
            over_http2(front, folder, tls)
        upload(front, folder, plain)
        late = streams(front, echo, plain)
        process.terminate()
        process.wait(20)
        handshake(front, folder, free_port, wait_for, recipe)
        print(f"{front}: {len(PATHS)} paths with and without forged headers, wrong hosts, uploads, a WebSocket, a stream ({late * 1000:.0f} ms late)", flush=True)
