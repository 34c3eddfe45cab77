"""tower-gateway before real programs: php-fpm, git, cgit, fcgiwrap, uwsgi and Plack, each from Debian.

Run by `just gateway`, which builds tower-deploy first. With arguments, only the checks of these
names. DokuWiki in Chromium is `wiki.py`, and the speed beside nginx and Apache is `speed.py`.
"""

import hashlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = pathlib.Path(os.environ.get("DEPLOY", ROOT / "target" / "served" / "tower-deploy"))
TOOLS = ["php-fpm8.2", "git", "fcgiwrap", "uwsgi", "curl", "perl"]


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


def run(*args, check=True, **more):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, timeout=120, **more)
    assert not check or done.returncode == 0, (args, done.returncode, done.stdout[-500:], done.stderr[-2000:])
    return done.stdout


class Folder:
    """Scripts, configurations and sockets, and the programs that were started for them."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.chmod(0o755)
        self.processes = []

    def write(self, name, text, mode=0o644):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def start(self, *args, log="program.log", **more):
        with open(self.path / log, "ab") as out:
            more = {"stdout": out, "stderr": out, **more}
            process = subprocess.Popen([str(arg) for arg in args], **more)
        self.processes.append(process)
        return process

    def site(self, name, apps):
        """Serves apps of tower-deploy, each below its name, and returns the port."""
        port = free_port()
        lines = ["[composite:main]", "use = egg:tower#urlmap"]
        lines += [f"{'/' if app == 'root' else '/' + app} = {app}" for app in apps]
        for app, settings in apps.items():
            lines += [f"[app:{app}]", *(f"{key} = {value}" for key, value in settings.items())]
        lines += ["[server:main]", "use = egg:tower#http", f"port = {port}", "access_log = %(here)s/access.log"]
        file = self.write(f"{name}.ini", "\n".join(lines) + "\n")
        process = self.start(DEPLOY, "serve", file, log=f"{name}.log")
        wait_for(port)
        self.site_process = process
        return port

    def log(self, name):
        return (self.path / f"{name}.log").read_text(errors="replace")

    def logged(self, name, text):
        """Waits for a text in a log, which no response waits for."""
        for _ in range(100):
            if text in self.log(name):
                return
            time.sleep(0.02)
        raise AssertionError(f"{text} is not in the log {name}: {self.log(name)[-2000:]}")

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def ask(port, method, path, body=None, headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


PHP = {
    "index.php": """<?php header('X-Script: '.$_SERVER['SCRIPT_NAME']); header('X-Path: '.($_SERVER['PATH_INFO'] ?? '-'));
        echo json_encode([$_SERVER['REQUEST_METHOD'], $_GET, $_POST, $_SERVER['SCRIPT_FILENAME'], $_SERVER['HTTPS'] ?? null,
        $_SERVER['HTTP_PROXY'] ?? null, $_SERVER['HTTP_X_FORWARDED_FOR'] ?? null, $_SERVER['REMOTE_ADDR']]);""",
    "upload.php": """<?php if (isset($_FILES['f'])) echo $_FILES['f']['size'], ' ', md5_file($_FILES['f']['tmp_name']);
        else echo strlen(file_get_contents('php://input')), ' ', md5(file_get_contents('php://input'));""",
    "stream.php": """<?php ignore_user_abort(true); while (ob_get_level()) ob_end_flush();
        for ($i = 0; $i < 200; $i++) { echo "line $i\\n"; flush(); usleep(20000);
        if (connection_aborted()) { touch($_GET['mark']); exit; } }""",
    "status.php": """<?php http_response_code((int)$_GET['s']); if (isset($_GET['to'])) header('Location: '.$_GET['to']);
        header('X-A: 1'); echo 'body'; if (isset($_GET['exit'])) exit(3);""",
    "down.php": """<?php while (ob_get_level()) ob_end_flush(); $x = str_repeat('x', 1 << 20);
        for ($i = 0; $i < (int)$_GET['mb']; $i++) { echo $x; }""",
    "fatal.php": "<?php echo 'a'; flush(); undefined_function();",
    "slow.php": "<?php usleep(300000); echo getmypid();",
}


def php_fpm(folder, children=8, before=()):
    """Starts php-fpm by a command that begins with `before`, and returns its socket."""
    fpm = folder.path / "fpm.sock"
    for name, text in PHP.items():
        folder.write(f"www/{name}", text)
    marks = folder.path / "marks"
    marks.mkdir()
    marks.chmod(0o777)
    folder.write("fpm.conf", f"""[global]
error_log = {folder.path}/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = {fpm}
listen.mode = 0666
pm = static
pm.max_children = {children}
php_admin_value[upload_max_filesize] = 64M
php_admin_value[post_max_size] = 64M
php_admin_value[log_errors] = 1
""")
    folder.start(*before, "php-fpm8.2", "-y", folder.path / "fpm.conf", "-F", "--allow-to-run-as-root", log="fpm-out.log")
    wait_for(fpm)
    return fpm


def php(folder):
    """A page, a form, uploads, a stream, a client that leaves, statuses, an exit in the middle."""
    fpm = php_fpm(folder)
    app = {"use": "egg:tower#fastcgi", "address": f"unix:{fpm}", "document_root": "%(here)s/www"}
    port = folder.site("php", {"root": app, "kept": {**app, "keep_connections": 4, "connections": 8}})
    for at in ["", "/kept"]:
        status, headers, body = ask(port, "GET", f"{at}/index.php/a%20b?q=1", headers={
            "Proxy": "http://example.org", "X-Forwarded-For": "192.0.2.1"})
        assert status == 200 and headers["X-Script"] == f"{at}/index.php" and headers["X-Path"] == "/a b", headers
        assert body == f'["GET",{{"q":"1"}},[],"{folder.path}/www/index.php",null,null,null,"127.0.0.1"]'.replace(
            "/", "\\/").encode(), body
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert b'{"a":"1"}' in ask(port, "POST", f"{at}/", b"a=1", form)[2]
        assert ask(port, "HEAD", f"{at}/")[2] == b""
    big = folder.path / "big"
    big.write_bytes(os.urandom(20_000_000))
    md5 = hashlib.md5(big.read_bytes()).hexdigest()
    expected = f"20000000 {md5}".encode()
    for more in [[], ["-H", "Transfer-Encoding: chunked"], ["--http2-prior-knowledge"]]:
        url = f"http://127.0.0.1:{port}/upload.php"
        assert run("curl", "-sS", *more, "-F", f"f=@{big}", url) == expected, more
        raw = ["--data-binary", f"@{big}", "-H", "Content-Type: application/octet-stream", "-H", "Expect:"]
        assert run("curl", "-sS", *more, *raw, url) == expected, more

    # Each line comes when it is written.
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as client:
        mark = folder.path / "marks" / "left"
        client.sendall(f"GET /stream.php?mark={mark} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        seen = b""
        while b"line 9" not in seen:
            seen += client.recv(4096)
        took = time.monotonic() - begin
        assert 0.15 < took < 2, took
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left = time.monotonic()
    while not mark.exists():
        assert time.monotonic() - left < 2, "PHP has not noticed that the client left"
        time.sleep(0.01)

    for status in [204, 304, 404, 500]:
        found, headers, body = ask(port, "GET", f"/status.php?s={status}")
        assert (found, headers["X-A"], body) == (status, "1", b"" if status < 400 else b"body")
    assert ask(port, "GET", "/status.php?s=200&exit=1")[2] == b"body"
    assert ask(port, "GET", "/status.php?s=302&to=/x")[1]["Location"] == "/x"
    assert ask(port, "GET", "/missing.php")[0] == 404
    ask(port, "GET", "/fatal.php")
    folder.logged("php", "undefined_function")
    assert len(ask(port, "GET", "/down.php?mb=50")[2]) == 50 << 20


def aborted(folder):
    """A thousand clients that leave: no connection, process or file is left."""
    fpm = php_fpm(folder, children=4)
    app = {"use": "egg:tower#fastcgi", "address": f"unix:{fpm}", "document_root": "%(here)s/www"}
    script = folder.write("wait.cgi", "#!/bin/sh\necho; echo x; exec sleep 60\n", 0o755)
    port = folder.site("aborted", {"root": app, "cgi": {"use": "egg:tower#cgi", "script": script}})
    files = pathlib.Path(f"/proc/{folder.site_process.pid}/fd")
    ask(port, "GET", "/")
    before = len(list(files.iterdir()))
    for path, count in [("/slow.php", 500), ("/cgi", 500)]:
        for _ in range(count):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                time.sleep(0.005)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for _ in range(100):
        children = pathlib.Path(f"/proc/{folder.site_process.pid}/task/{folder.site_process.pid}/children").read_text()
        tasks = list(pathlib.Path(f"/proc/{folder.site_process.pid}/task").iterdir())
        children = "".join((task / "children").read_text() for task in tasks)
        after = len(list(files.iterdir()))
        if not children and after <= before + 1:
            break
        time.sleep(0.1)
    else:
        raise AssertionError(f"{before} files before, {after} after, children: {children}")
    assert ask(port, "GET", "/")[0] == 200


def git(folder):
    """Clone, fetch and push, with protocol 2, a push above http.postBuffer, and a compressed body."""
    for name in ["p", "q"]:
        run("git", "init", "-q", "--bare", "-b", "main", folder.path / f"git/{name}.git")
        run("git", "-C", folder.path / f"git/{name}.git", "config", "http.receivepack", "true")
    backend = run("git", "--exec-path").decode().strip() + "/git-http-backend"
    port = folder.site("git", {"git": {
        "use": "egg:tower#cgi", "script": backend,
        "env": f"GIT_PROJECT_ROOT={folder.path}/git GIT_HTTP_EXPORT_ALL=1 REMOTE_USER=ada",
    }, "cgit": {
        "use": "egg:tower#cgi", "script": "/usr/lib/cgit/cgit.cgi", "env": f"CGIT_CONFIG={folder.path}/cgitrc",
    }})
    folder.write("cgitrc", f"scan-path={folder.path}/git\nvirtual-root=/cgit\n")
    env = {**os.environ, "HOME": str(folder.path), "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
           "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_TRACE_CURL": "1"}
    url = f"http://127.0.0.1:{port}/git/p.git"
    one, two = folder.path / "one", folder.path / "two"

    def at(where, *args):
        done = subprocess.run(["git", *args], cwd=where, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stderr

    at(folder.path, "init", "-q", "-b", "main", one)
    (one / "big").write_bytes(os.urandom(3_000_000))
    for number in range(200):
        (one / f"file{number}").write_text(f"{number}\n" * 50)
    at(one, "add", ".")
    at(one, "commit", "-qm", "one")
    trace = at(one, "push", url, "main").lower()
    assert "transfer-encoding: chunked" in trace, "the push has a length"
    at(folder.path, "clone", "-q", url, two)
    assert (two / "big").read_bytes() == (one / "big").read_bytes()
    for number in range(60):
        at(one, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
        at(one, "branch", f"branch{number}")
    at(one, "push", "-q", "--all", url)
    trace = at(two, "-c", "protocol.version=2", "fetch", url, "+refs/heads/*:refs/remotes/x/*").lower()
    assert "git-protocol: version=2" in trace
    at(two, "-c", "protocol.version=0", "fetch", url, "+refs/heads/*:refs/remotes/y/*")
    assert "content-encoding: gzip" in trace or "content-encoding: gzip" in at(
        folder.path, "-c", "protocol.version=0", "clone", "-q", url, "three").lower(), "no body was compressed"
    assert ask(port, "GET", "/git/missing.git/info/refs?service=git-upload-pack")[0] == 404

    status, headers, body = ask(port, "GET", "/cgit/")
    assert status == 200 and b"p.git" in body and headers["Content-Type"].startswith("text/html"), body[:500]
    status, _, body = ask(port, "GET", "/cgit/p.git/log/?h=main")
    assert status == 200 and b"commit 59" in body, body[:500]


WSGI = """
from wsgiref.validate import validator

@validator
def application(environ, start_response):
    body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
    lines = [f"{environ['REQUEST_METHOD']} {environ['SCRIPT_NAME']!r} {environ['PATH_INFO']!r} {environ['QUERY_STRING']!r}",
             f"{len(body)} {environ.get('HTTP_X_A')!r} {environ.get('HTTP_X_B')!r}"]
    content = '\\n'.join(lines).encode()
    status = environ['QUERY_STRING'] or '200 OK'
    if environ['PATH_INFO'] == '/status':
        start_response(status.replace('+', ' '), [] if status[:3] in ('204', '304') else [('Content-Type', 'text/plain')])
        return [b''] if status[:3] in ('204', '304') else [content]
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')])
    return [content[:5], content[5:]]
"""


def wsgi(folder):
    """uwsgi by SCGI and FastCGI, with a WSGI application in `wsgiref.validate`, which stays silent."""
    folder.write("app.py", WSGI)
    apps = {}
    for kind in ["scgi", "fastcgi"]:
        listening = folder.path / f"{kind}.sock"
        folder.start("uwsgi", "--plugin", "python3", f"--{kind}-socket", listening, "--wsgi-file",
                     folder.path / "app.py", "--processes", 2, "--die-on-term", log=f"uwsgi-{kind}.log", cwd=folder.path)
        wait_for(listening)
        apps[kind] = {"use": f"egg:tower#{kind}", "address": f"unix:{listening}"}
    port = folder.site("wsgi", apps)
    for kind in apps:
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]:
            body = b"x" * 70_000 if method in ("POST", "PUT", "PATCH") else None
            status, headers, found = ask(port, method, f"/{kind}/a%20b/c?q=%20", body, {
                "X-A": "1", "X_B": "2", "Content-Type": "text/plain"} if body else {"X-A": "1", "X_B": "2"})
            expected = f"{method} '/{kind}' '/a b/c' 'q=%20'\n{len(body or b'')} '1' None".encode()
            assert status == 200 and found == (b"" if method == "HEAD" else expected), (kind, method, status, found)
            assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
        for status in [201, 204, 304, 404, 500]:
            assert ask(port, "GET", f"/{kind}/status?{status}+Reason")[0] == status
        chunks = iter([b"a" * 1000] * 100)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", f"/{kind}/x", chunks, {"Content-Type": "a/b"}, encode_chunked=True)
        assert connection.getresponse().read().endswith(b"\n100000 None None")
        log = folder.log(f"uwsgi-{kind}")
        assert "Assertion" not in log and "Warning" not in log and "Traceback" not in log, log[-3000:]


def fcgiwrap(folder):
    """fcgiwrap with cgit and a script of one's own."""
    listening = folder.path / "wrap.sock"
    folder.start("fcgiwrap", "-f", "-c", 2, "-s", f"unix:{listening}")
    wait_for(listening)
    run("git", "init", "-q", "--bare", folder.path / "git/p.git")
    rc = folder.write("cgitrc", f"scan-path={folder.path}/git\nvirtual-root=/cgit\n")
    hello = folder.write("cgi/hello.cgi", "#!/bin/sh\necho Content-Type: text/plain\necho\necho $SCRIPT_NAME $PATH_INFO; cat\n", 0o755)
    folder.write("cgi/silent.cgi", "#!/bin/sh\necho oops >&2\n", 0o755)
    address = f"unix:{listening}"
    port = folder.site("fcgiwrap", {
        "cgit": {"use": "egg:tower#fastcgi", "address": address, "script": "/usr/lib/cgit/cgit.cgi", "env": f"CGIT_CONFIG={rc}"},
        "cgi": {"use": "egg:tower#fastcgi", "address": address, "document_root": hello.parent, "extension": ".cgi"},
    })
    assert b"p.git" in ask(port, "GET", "/cgit/")[2]
    assert ask(port, "POST", "/cgi/hello.cgi/x/y", b"abc")[2] == b"/cgi/hello.cgi /x/y\nabc"
    assert ask(port, "GET", "/cgi/missing.cgi")[0] == 404
    assert ask(port, "GET", "/cgi/silent.cgi")[0] == 502
    folder.logged("fcgiwrap", "oops")


PLACK = r"""
use strict; use warnings;
use Test::More;
use Plack::Test::Suite;
use Plack::Handler::FCGI;
my ($deploy, $folder) = @ARGV;
my $socket = "$folder/plack.sock";
Plack::Test::Suite->run_server_tests(sub {
    my ($port, $app) = @_;
    open my $ini, '>', "$folder/plack.ini" or die;
    print $ini "[app:main]\nuse = egg:tower#fastcgi\naddress = unix:$socket\n[server:main]\nuse = egg:tower#http\nport = $port\n";
    close $ini;
    unlink $socket;
    my $pid = fork;
    if (!$pid) { open STDOUT, '>', "$folder/plack-deploy.log"; open STDERR, '>&', \*STDOUT; exec $deploy, 'serve', "$folder/plack.ini" or die; }
    $SIG{TERM} = sub { kill TERM => $pid; waitpid $pid, 0; exit 0 };
    my $handler = Plack::Handler::FCGI->new(listen => [$socket], nproc => 1, manager => undef, keep_stderr => 1);
    $handler->run($app);
});
done_testing;
"""


def plack(folder):
    """Plack::Test::Suite with Plack::Handler::FCGI behind the gateway."""
    script = folder.write("suite.pl", PLACK)
    done = subprocess.run(["perl", script, DEPLOY, folder.path], capture_output=True, text=True, timeout=300)
    (ROOT / "target" / "plack.tap").write_text(done.stdout + done.stderr)
    passed = len(re.findall(r"^ok \d+", done.stdout, re.M))
    failed = re.findall(r"^not ok \d+.*", done.stdout, re.M)
    print(f"  {passed} passed, {len(failed)} failed")
    for line in failed:
        print(f"  {line}")
    assert passed > 100 and not failed, done.stdout[-1000:] + done.stderr[-3000:]


def memory(folder):
    """A gigabyte up and a gigabyte down at the same time, in at most 4 MiB more memory."""
    echo = folder.write("echo.cgi", "#!/bin/sh\necho Content-Type: a/b\necho\nexec cat\n", 0o755)
    port = folder.site("memory", {"root": {"use": "egg:tower#cgi", "script": echo}})
    ask(port, "POST", "/", b"x" * 5_000_000)
    status = pathlib.Path(f"/proc/{folder.site_process.pid}/status")
    peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    before, size = peak(), 1 << 30
    piece = b"x" * (1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode())

        def send():
            for _ in range(size // len(piece)):
                client.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        seen = 0
        while got := client.recv(1 << 20):
            seen += len(got)
        sender.join()
    grown = peak() - before
    print(f"  {seen >> 20} MiB came back, {grown} KiB more")
    assert seen > size and grown <= 4096, grown


CHECKS = [php, aborted, git, wsgi, fcgiwrap, plack, memory]


def main():
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin")]
    if missing:
        raise SystemExit(f"missing programs: {', '.join(missing)}")
    os.environ["PATH"] += ":/usr/sbin"
    chosen = [check for check in CHECKS if not sys.argv[1:] or check.__name__ in sys.argv[1:]]
    failed = 0
    for check in chosen:
        with tempfile.TemporaryDirectory() as path:
            folder = Folder(path)
            begin = time.monotonic()
            try:
                check(folder)
                print(f"ok {check.__name__}: {check.__doc__} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Exception as error:
                failed += 1
                where = traceback.extract_tb(error.__traceback__)[1]
                print(f"not ok {check.__name__}, line {where.lineno}: {error!r:.3000}", flush=True)
            finally:
                folder.end()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
