"""wsgiref.validate around a WSGI application behind the proxy and behind the gateway: it has to stay
silent for a table of requests.

Behind the proxy is gunicorn, which is also asked alone; behind the gateway are uwsgi by SCGI and FastCGI, and CGI. The table is
tests/cgi/wsgiref.jsonl, byte by byte, and the requests of MORE. Run by `just wsgi`, which builds
tower-deploy first. uwsgi is from Debian's packages, gunicorn from pip, into target/python.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DEPLOY = ROOT / "target" / "debug" / "tower-deploy"
VENV = ROOT / "target" / "python"

# Requests that do not reach the application, with the status and the reason.
REFUSED = {
    ("CGI", "bytes that are no text"): (400, "a NUL in a variable (GATEWAY-13)"),
    ("SCGI", "bytes that are no text"): (400, "a NUL in a variable (GATEWAY-13)"),
    ("FastCGI", "bytes that are no text"): (400, "a NUL in a variable (GATEWAY-13)"),
}
# Requests for which servers of Python themselves do not satisfy the validator.
PEER_TOO = {
    "the whole server": "`OPTIONS *` has the path `*`, as with gunicorn alone; the validator wants a slash",
}
# What the validator says, and why it may.
RULED = {
    "Unknown REQUEST_METHOD": "the validator knows eight methods, and HTTP has any number",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address):
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    for _ in range(400):
        with socket.socket(family) as probe:
            try:
                return probe.connect(address)
            except OSError:
                time.sleep(0.05)
    sys.exit(f"nothing listens on {address}")


def gunicorn():
    program = VENV / "bin" / "gunicorn"
    if not program.exists():
        venv.create(VENV, with_pip=True)
        subprocess.run([VENV / "bin" / "pip", "install", "--quiet", "gunicorn==23.0.0"], check=True)
    return program


def table():
    """Each request by its name, in bytes, with the method, the target and the length of its content."""
    for line in (ROOT / "tests" / "cgi" / "wsgiref.jsonl").read_text().splitlines():
        row = json.loads(line)
        request = row["request"].encode("latin-1")
        yield row["name"], request, row["environ"]["PATH_INFO"], len(request.partition(b"\r\n\r\n")[2])
    for name, request, path, length in more():
        yield name, request, path, length


def more():
    host = b" HTTP/1.1\r\nHost: example.org\r\n"
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"):
        yield f"{method.decode()} of a stream", method + b" /a?stream" + host + b"\r\n", "/a", 0
    for size in (0, 1, 70_000, 1_000_000):
        head = b"POST /a" + host + b"Content-Type: text/plain\r\n"
        content = b"x" * size
        yield f"{size} bytes with a length", head + b"Content-Length: %d\r\n\r\n" % size + content, "/a", size
        chunks = (b"%x\r\n" % size + content + b"\r\n" if size else b"") + b"0\r\n\r\n"
        yield f"{size} bytes in chunks", head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, "/a", size
    for status in (200, 201, 204, 206, 301, 304, 400, 404, 405, 418, 500, 503, 599):
        for method in (b"GET", b"HEAD", b"POST"):
            name = f"{status} to {method.decode()}"
            yield name, method + b" /status?%d+Reason" % status + host + b"Content-Length: 0\r\n\r\n", None, status


def ask(port, request):
    """The status and the content of one response."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        file = client.makefile("rb")
        client.sendall(request)
        while True:
            line = file.readline()
            status = int(line.split()[1])
            headers = {}
            while (line := file.readline().strip()):
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            if status >= 200:
                break
        content = b""
        if request.startswith(b"HEAD ") or status in (204, 304):
            pass
        elif b"content-length" in headers:
            content = file.read(int(headers[b"content-length"]))
        elif headers.get(b"transfer-encoding") == b"chunked":
            while size := int(file.readline(), 16):
                content += file.read(size)
                file.readline()
        else:
            content = file.read()
        return status, content


class Way:
    """The application behind one server, and a site before it."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder
        self.notes = folder / "notes"
        self.notes.touch()
        self.processes = []
        env = {**os.environ, "WSGI_NOTES": str(self.notes), "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
        listening = str(folder / "app.sock")
        settings = {"address": f"unix:{listening}"}
        self.port = free_port()
        if name == "gunicorn alone":
            # The peer: no site is in front of it.
            self.start(gunicorn(), "--bind", f"127.0.0.1:{self.port}", "--threads", "4", "app:application", env=env)
            return wait_for(("127.0.0.1", self.port))
        if name == "proxy":
            self.start(gunicorn(), "--bind", f"unix:{listening}", "--threads", "4", "app:application", env=env)
            settings["use"] = "egg:tower#proxy"
        elif name == "CGI":
            script = folder / "app.cgi"
            lines = [f"#!{sys.executable} -B", "import sys", f"sys.path.insert(0, {str(HERE)!r})"]
            lines += ["import app", "app.CGIHandler().run(app.application)"]
            script.write_text("\n".join(lines) + "\n")
            script.chmod(0o755)
            settings = {"use": "egg:tower#cgi", "script": script, "env": f"WSGI_NOTES={self.notes}"}
        else:
            self.start("uwsgi", "--plugin", "python3", f"--{name.lower()}-socket", listening, "--wsgi-file", HERE / "app.py",
                       "--processes", "2", "--buffer-size", "32768", "--die-on-term", "--need-app", env=env)
            settings["use"] = f"egg:tower#{name.lower()}"
        if name != "CGI":
            wait_for(listening)
        lines = ["[app:main]", *(f"{key} = {value}" for key, value in settings.items())]
        (folder / "site.ini").write_text("\n".join(lines) + "\n")
        self.start(DEPLOY, "serve", folder / "site.ini", "--bind", f"127.0.0.1:{self.port}")
        wait_for(("127.0.0.1", self.port))

    def start(self, *args, env=None):
        with open(self.folder / "log", "ab") as log:
            self.processes.append(subprocess.Popen(list(map(str, args)), stdout=log, stderr=log, env=env, cwd=self.folder))

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(30)

    def new_notes(self):
        text = self.notes.read_text()
        os.truncate(self.notes, 0)
        return text.splitlines()

    def check(self, name, request, path, length):
        """What is wrong with a response, and what the validator says."""
        status, content = ask(self.port, request)
        refused = REFUSED.get((self.name, name))
        expected = refused[0] if refused else length if path is None else 200
        if status != expected:
            return f"status {status}, not {expected}: {content[:300]}"
        if path is not None and not refused and not request.startswith(b"HEAD "):
            seen = json.loads(content)
            if seen["length"] != length:
                return f"{seen['length']} bytes of content, not {length}"
            if seen["REQUEST_METHOD"] != request.split(b" ")[0].decode():
                return f"method {seen['REQUEST_METHOD']}"
        return None


def main():
    missing = [tool for tool in ("uwsgi",) if not shutil.which(tool)]
    if missing:
        sys.exit(f"missing programs: {', '.join(missing)}")
    rows = list(table())
    print("| behind | requests | another response | a note of the validator | failed for the peer too | ruled |")
    print("|---|---|---|---|---|---|")
    failed = 0
    for name in ("gunicorn alone", "proxy", "SCGI", "FastCGI", "CGI"):
        wrong, noted, ruled = [], [], 0
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            way = Way(name, pathlib.Path(folder))
            try:
                # The validator is in place: it notices an application that is not valid.
                ask(way.port, b"GET /not-valid HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                if not any("AssertionError" in line for line in way.new_notes()):
                    wrong.append("the validator does not notice an application that is not valid")
                for row in rows:
                    reason = way.check(*row)
                    notes = way.new_notes()
                    if row[0] in PEER_TOO:
                        if not notes:
                            wrong.append(f"{row[0]}: the validator says nothing, so remove it from PEER_TOO")
                        continue
                    if reason:
                        wrong.append(f"{row[0]}: {reason}")
                    for line in notes:
                        if any(text in line for text in RULED):
                            ruled += 1
                        else:
                            noted.append(f"{row[0]}: {line}")
            finally:
                way.end()
        ruled += sum(of == name for of, _ in REFUSED)
        print(f"| {name} | {len(rows)} | {len(wrong)} | {len(noted)} | {len(PEER_TOO)} | {ruled} |", flush=True)
        for line in wrong + noted:
            print(f"  {line}")
        failed += len(wrong) + len(noted)
    for request, reason in PEER_TOO.items():
        print(f"failed for the peer too: {request}: {reason}")
    for text, reason in RULED.items():
        print(f"ruled: {text}: {reason}")
    for (name, request), (status, reason) in REFUSED.items():
        print(f"ruled: {request}, {name}: {status}, {reason}")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
