"""One axum app over HTTP, and as a program behind Apache, lighttpd and nginx, each from Debian.

Run by `just hosting`, which builds the app first. The same requests go to each. Status, headers and
body have to be those of HTTP, or the difference is one of DIFFERENCES, which are the web servers'
own. With arguments, only the fronts of these names. It needs Debian's nginx, apache2,
libapache2-mod-fcgid, lighttpd and libfcgi-bin.
"""

import collections
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
APP = pathlib.Path(os.environ.get("HOSTING", ROOT / "target" / "debug" / "hosting"))
# The configurations of the document are run as they are, except for paths and ports.
RECIPES = dict(re.findall(r"```(\w+)\n(.*?)```", (ROOT / "docs/hosting.md").read_text(), re.S))
# Fields about one hop, or of the web server itself.
OWN = {"date", "server", "connection", "keep-alive", "transfer-encoding", "via"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address):
    for _ in range(200):
        try:
            if isinstance(address, int):
                socket.create_connection(("127.0.0.1", address), 1).close()
            else:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(address))
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on {address}")


class Folder:
    """The files of a run, and the programs that were started for it."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.chmod(0o755)
        self.processes = []
        self.app = self.path / "app"
        shutil.copy(APP, self.app)

    def write(self, name, text, mode=0o644):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def start(self, *args):
        with open(self.path / "log", "ab") as log:
            # The workers of the web servers run as other users, and open the sockets of the app.
            process = subprocess.Popen(
                [str(arg) for arg in args],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                umask=0,
                env={**os.environ, "RUST_BACKTRACE": "0"},
            )
        self.processes.append(process)

    def end(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise SystemExit(f"{process.args} does not end")


def direct(folder):
    port = free_port()
    folder.start(folder.app, "http", f"127.0.0.1:{port}")
    wait_for(port)
    return port


def program(folder, kind):
    """Starts the app on a Unix socket, or for SCGI on a port, and returns its address."""
    if kind == "scgi":
        port = free_port()
        folder.start(folder.app, "scgi", f"127.0.0.1:{port}")
        wait_for(port)
        return f"127.0.0.1:{port}"
    path = folder.path / f"{len(folder.processes)}.sock"
    folder.start(folder.app, kind, f"unix:{path}")
    wait_for(path)
    return path


def nginx(folder, kind):
    port = free_port()
    address = program(folder, kind)
    recipe = RECIPES["nginx"].replace("listen 80", f"listen 127.0.0.1:{port}")
    if kind == "scgi":
        recipe = recipe.replace("fastcgi_keep_conn on;", "").replace("fastcgi", "scgi")
        recipe = recipe.replace("unix:/run/site/site.sock", address)
    recipe = recipe.replace("/run/site/site.sock", str(address))
    text = f"""
        daemon off; master_process off; error_log {folder.path}/nginx.log; pid {folder.path}/{port}.pid;
        events {{}}
        http {{
            access_log off; client_max_body_size 0; merge_slashes off; ignore_invalid_headers off;
            client_body_temp_path {folder.path}/t; fastcgi_temp_path {folder.path}/t;
            scgi_temp_path {folder.path}/t; proxy_temp_path {folder.path}/t; uwsgi_temp_path {folder.path}/t;
            {recipe}
        }}"""
    folder.start("nginx", "-c", folder.write(f"nginx-{port}.conf", text))
    wait_for(port)
    return port


APACHE = """
    ServerRoot {path}
    ServerName localhost
    Listen 127.0.0.1:{port}
    PidFile {path}/apache-{port}.pid
    ErrorLog {path}/apache.log
    Mutex file:{path}
    User www-data
    Group www-data
    {modules}
    AllowEncodedSlashes NoDecode
    MergeSlashes Off
    DocumentRoot {path}/{root}
    {lines}
    <Directory {path}/{root}>
        Require all granted
        AllowOverride All
        Options +ExecCGI +FollowSymLinks
    </Directory>
"""

def apache(folder, kind):
    port = free_port()
    modules = ["mpm_event", "authz_core", "env", "rewrite", "mime", "unixd"]
    lines, root = "TypesConfig /etc/mime.types", f"www-{port}"
    if kind in ("fcgid", "cgid"):
        end = "fcgi" if kind == "fcgid" else "cgi"
        htaccess = RECIPES["apache"]
        if kind == "cgid":
            htaccess = htaccess.replace("fcgid-script", "cgi-script").replace(".fcgi", ".cgi")
        folder.write(f"{root}/.htaccess", htaccess)
        site = folder.path / root / f"site.{end}"
        os.symlink(folder.app, site)
        modules.append(kind)
        own = {
            "fcgid": f"FcgidIPCDir {folder.path}/fcgid-{port}\nFcgidProcessTableFile {folder.path}/shm-{port}\n"
            "FcgidMaxRequestLen 100000000\nFcgidOutputBufferSize 0",
            "cgid": f"ScriptSock {folder.path}/cgid-{port}.sock",
        }
        lines += "\n" + own[kind]
        if kind == "fcgid":
            (folder.path / f"fcgid-{port}").mkdir()
            os.chmod(folder.path / f"fcgid-{port}", 0o777)
    else:
        # Otherwise Apache drops the Content-Length of every program.
        lines += "\nSetEnv ap_trust_cgilike_cl 1"
        modules += ["proxy", f"proxy_{'fcgi' if kind == 'proxy_fcgi' else 'scgi'}"]
        folder.write(f"{root}/index.html", "not this")
        if kind == "proxy_fcgi":
            to = f"unix:{program(folder, 'fastcgi')}|fcgi://localhost"
            lines += f'\n<Proxy "fcgi://localhost" enablereuse=on flushpackets=on>\n</Proxy>'
            lines += f'\n<Location "/">\nSetHandler "proxy:{to}"\nCGIPassAuth On\n</Location>'
        else:
            lines += f'\nProxyPass "/" "scgi://{program(folder, "scgi")}/" flushpackets=on'
            lines += '\n<Location "/">\nCGIPassAuth On\n</Location>'
    built_in = subprocess.run(["apache2", "-l"], capture_output=True, text=True).stdout
    loads = [
        f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so"
        for module in modules
        if f"mod_{module}.c" not in built_in
    ]
    text = APACHE.format(path=folder.path, port=port, modules="\n".join(loads), lines=lines, root=root)
    folder.start("apache2", "-DFOREGROUND", "-f", folder.write(f"apache-{port}.conf", text))
    wait_for(port)
    return port


def lighttpd(folder, kind):
    port = free_port()
    root = folder.path / f"www-{port}"
    root.mkdir()
    path = folder.path / f"lighttpd-{port}.sock"
    if kind == "cgi":
        (root / "site.cgi").symlink_to(folder.app)
        module = "mod_cgi"
        lines = 'server.stream-response-body = 1\ncgi.assign = (".cgi" => "")\nurl.rewrite-once = ("" => "/site.cgi")'
        module += '", "mod_rewrite'
    elif kind == "scgi":
        host, scgi = program(folder, "scgi").split(":")
        module = "mod_scgi"
        lines = f'server.stream-response-body = 1\nscgi.server = ("" => (("host" => "{host}", "port" => {scgi}, "check-local" => "disable")))'
    else:
        module = "mod_accesslog"
        lines = RECIPES["lighttpd"].replace("/run/lighttpd/site.sock", str(path))
        lines = lines.replace("/srv/site/site", str(folder.app))
    text = f"""
        server.modules = ("{module}")
        server.document-root = "{root}"
        server.port = {port}
        server.bind = "127.0.0.1"
        server.errorlog = "{folder.path}/lighttpd.log"
        server.http-parseopts = ("url-normalize" => "disable", "header-strict" => "disable",
            "url-path-2f-decode" => "disable", "url-ctrls-reject" => "disable")
        {lines}
    """
    folder.start("lighttpd", "-D", "-f", folder.write(f"lighttpd-{port}.conf", text))
    wait_for(port)
    return port


FRONTS = {
    "nginx fastcgi": lambda folder: nginx(folder, "fastcgi"),
    "nginx scgi": lambda folder: nginx(folder, "scgi"),
    "apache proxy_fcgi": lambda folder: apache(folder, "proxy_fcgi"),
    "apache proxy_scgi": lambda folder: apache(folder, "proxy_scgi"),
    "apache fcgid": lambda folder: apache(folder, "fcgid"),
    "apache cgid": lambda folder: apache(folder, "cgid"),
    "lighttpd fastcgi": lambda folder: lighttpd(folder, "fastcgi"),
    "lighttpd scgi": lambda folder: lighttpd(folder, "scgi"),
    "lighttpd cgi": lambda folder: lighttpd(folder, "cgi"),
}

Asked = collections.namedtuple("Asked", "method path headers body chunked", defaults=((), b"", False))


def requests():
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    paths = [
        "/", "/a", "/a/", "//a///b", "/a%2Fb", "/a%20b/%E2%82%AC", "/a;b=c,d@e:f/(g)!*'$&+=", "/?", "/?a=b&c=%26&d=+",
        "/a?b?c=/d//e", "/index.php/path", "/streamed", "/headers", "/early", "/missing.html", "/%41%7E",
    ]
    for method in methods:
        for path in paths:
            yield Asked(method, path)
    for status in [200, 201, 204, 205, 299, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 410, 418, 429, 500, 503]:
        for method in ["GET", "HEAD", "POST"]:
            yield Asked(method, f"/status/{status}")
    for headers in [
        [("Accept", "a/b"), ("Accept", "c/d;q=0.5")],
        [("Cookie", "a=1; b=2")],
        [("Cookie", "a=1"), ("Cookie", "b=2")],
        [("X-Empty", ""), ("X-A", "1"), ("X-A", "2")],
        [("Authorization", "Basic eDp5")],
        [("Content-Type", "text/plain; charset=utf-8")],
        [("X-Latin", "caf\u00e9")],
        [("X-Long", "z" * 5000)],
        [("TE", "trailers"), ("Connection", "TE")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.1")],
        [("Proxy", "http://192.0.2.1/")],
        [("Expect", "100-continue")],
    ]:
        yield Asked("GET", "/a?b", headers)
        yield Asked("POST", "/a?b", headers, b"a=b")
    for headers in [[("If-None-Match", '"1"')], [("If-None-Match", '"2"')], [("Range", "bytes=2-4")], []]:
        for method in ["GET", "HEAD"]:
            yield Asked(method, "/conditional", headers)
    for body in [b"", b"x", b"y" * 70_000, b"z" * 3_000_000]:
        for chunked in [False, True]:
            for path in ["/upload", "/early", "/streamed", "/large"]:
                yield Asked("POST", path, (), body, chunked)
    for path in ["/large", "/panic", "/location", "/broken"]:
        yield Asked("GET", path)


def ask(port, asked):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", "example.org")
        for name, value in asked.headers:
            connection.putheader(name, value.encode("latin-1"))
        body = asked.body
        if asked.chunked:
            connection.putheader("Transfer-Encoding", "chunked")
            pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        elif body or asked.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        try:
            connection.send(body)
        except OSError:
            pass  # The response may be there all the same.
        response = connection.getresponse()
        try:
            content = response.read()
        except http.client.IncompleteRead as cut:
            content = cut.partial + b"... and cut"
        lines = sorted((name.lower(), value) for name, value in response.getheaders())
        headers = tuple(line for line in lines if line[0] not in OWN)
        return response.status, headers, content
    except (OSError, http.client.HTTPException) as error:
        return 0, (), repr(error).encode()
    finally:
        connection.close()


def compared(asked, expected, found):
    """Returns the differences in words: `status`, `body`, or the names of headers."""
    differences = []
    if expected[0] != found[0]:
        differences.append(f"status {expected[0]} -> {found[0]}")
    names = {name for name, _ in expected[1] + found[1]}
    for name in sorted(names):
        of = lambda response: [value for other, value in response[1] if other == name]
        if of(expected) != of(found):
            differences.append(f"{name} {of(expected)} -> {of(found)}"[:150])
    if expected[2] != found[2] and asked.method != "HEAD":
        differences.append(f"body {expected[2][:160]} -> {found[2][:160]}")
    return differences


# The differences that are meant, or the web server's own: the fronts, a test of the request and of
# the difference, and the reason, with the rule of tower-gateway if there is one.
DIFFERENCES = [
    (
        "",
        lambda asked, difference: asked.path == "/panic",
        "a failure of the service is a 500, and over HTTP the connection is closed (GATEWAY-41)",
    ),
    (
        "",
        lambda asked, difference: asked.path == "/location" and difference.startswith("location"),
        "a 200 has no Location, because Apache makes a redirect of it (GATEWAY-39)",
    ),
    (
        "lighttpd cgi|apache cgid",
        lambda asked, difference: asked.path == "/broken" and difference.endswith("-> b'one '"),
        "without Content-Length, nothing shows that a response is cut (GATEWAY-30)",
    ),
    (
        "nginx scgi",
        lambda asked, difference: asked.path == "/broken" and difference.endswith("-> b'... and cut'"),
        "nginx drops what it holds of a response when the connection is reset (GATEWAY-41)",
    ),
    (
        "apache fcgid",
        lambda asked, difference: asked.path == "/broken" and "500 Internal Server Error" in difference,
        "mod_fcgid appends an error page of its own to a response that is cut",
    ),
    (
        "apache|lighttpd",
        lambda asked, difference: asked.path == "/status/205" and difference.startswith("content-length"),
        "a 205 has no Content-Length",
    ),
    (
        "apache",
        lambda asked, difference: "cookie: a=1, b=2" in difference,
        "lines of Cookie are joined with a comma",
    ),
    (
        "apache proxy_scgi",
        lambda asked, difference: asked.chunked,
        "mod_proxy_scgi wants a length, and responds with 411",
    ),
    (
        "lighttpd",
        lambda asked, difference: difference.startswith("accept-ranges"),
        "ranges of a GET are served by lighttpd itself",
    ),
    (
        "lighttpd",
        lambda asked, difference: "x-empty" in difference
        or difference.startswith("content-length") and ("X-Empty", "") in asked.headers,
        "fields without a value are dropped",
    ),
]


def known(front, asked, difference):
    for fronts, is_it, reason in DIFFERENCES:
        if any(name in front for name in fronts.split("|")) and is_it(asked, difference):
            return reason
    return None


def libfcgi(folder):
    """libfcgi's own client asks the app."""
    path = program(folder, "fastcgi")
    for length, body in [(0, b""), (70_000, b"x" * 70_000)]:
        variables = {
            "REQUEST_METHOD": "POST",
            "REQUEST_URI": "/upload",
            "HTTP_HOST": "example.org",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(length),
        }
        command = ["cgi-fcgi", "-bind", "-connect", str(path)]
        done = subprocess.run(command, input=body, env=variables, capture_output=True, timeout=20)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        assert head.startswith(b"Status: 200 OK\r\n"), done
        assert f"{length} bytes, ".encode() in content, done
    print("cgi-fcgi: the responses are right")


def main():
    wanted = sys.argv[1:] or FRONTS
    table = list(requests())
    failed, seen = 0, set()
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path)
        try:
            libfcgi(folder)
            port = direct(folder)
            expected = [ask(port, asked) for asked in table]
            for front in wanted:
                port = FRONTS[front](folder)
                counts, unknown = collections.Counter(), []
                for asked, response in zip(table, expected):
                    for difference in compared(asked, response, ask(port, asked)):
                        reason = known(front, asked, difference)
                        counts[reason] += 1
                        if reason is None:
                            unknown.append((asked, difference))
                print(f"{front}: {len(table)} requests, {len(unknown)} differences without a reason")
                seen |= set(counts)
                for reason, count in counts.items():
                    if reason:
                        print(f"    {count} with the reason: {reason}")
                for asked, difference in unknown:
                    shown = (asked.method, asked.path, asked.headers, len(asked.body), asked.chunked)
                    print("   ", *shown, "\n       ", difference)
                failed += len(unknown)
        finally:
            if failed:
                print((folder.path / "log").read_text()[-3000:])
            folder.end()
    if len(wanted) == len(FRONTS):
        for _, _, reason in DIFFERENCES:
            if reason not in seen:
                failed += 1
                print(f"this difference was not seen: {reason}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
