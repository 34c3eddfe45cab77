"""tower-deploy in front of a real WSGI server, gunicorn with the application of examples/python, by TCP and through a Unix socket.

Run by `just python`, which builds the command first. gunicorn is installed into target/python.
"""

import hashlib
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / "target" / "python"
COMMAND = ROOT / "target" / "debug" / "tower-deploy"
PATIENCE = 30


def installed():
    """gunicorn, from pip."""
    gunicorn = VENV / "bin" / "gunicorn"
    if not gunicorn.exists():
        venv.create(VENV, with_pip=True)
        subprocess.run([VENV / "bin" / "pip", "install", "--quiet", "gunicorn==23.0.0"], check=True)
    return gunicorn


class Application:
    """The Python side: one process that responds, and one that restarts it."""

    def __init__(self, bind):
        self.bind = bind
        args = ["--chdir", ROOT / "examples" / "python", "--bind", bind, "--workers", "1", "--threads", "8"]
        self.process = subprocess.Popen(
            [installed(), *args, "app:application"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for(self.answers, "gunicorn")

    def answers(self):
        try:
            if self.bind.startswith("unix:"):
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.bind[5:])
            else:
                host, port = self.bind.split(":")
                socket.create_connection((host, int(port))).close()
            return True
        except OSError:
            return False

    def kill(self):
        """All of it, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Site:
    """tower-deploy serve examples/python/proxy.ini"""

    def __init__(self, upstream):
        args = ["serve", ROOT / "examples" / "python" / "proxy.ini", f"upstream={upstream}", "--bind", "127.0.0.1:0"]
        self.process = subprocess.Popen([COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if found := re.match(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        raise SystemExit("tower-deploy did not start")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method, path, body=None, **headers):
        connection = self.connect()
        # An iterable is sent in chunks.
        connection.request(method, path, body, headers, encode_chunked=body is not None and not isinstance(body, bytes))
        response = connection.getresponse()
        return response.status, response.read().decode()


def wait_for(what, name):
    deadline = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} did not come up")
        time.sleep(0.05)


CHECKS = []


def check(test):
    CHECKS.append(test)
    return test


@check
def a_page(site, application):
    assert site.ask("GET", "/") == (200, "the old front page, in Python\n")
    assert site.ask("GET", "/nowhere") == (404, "not in Python either\n")


@check
def what_has_moved_is_answered_here(site, application):
    assert site.ask("GET", "/hello/John") == (200, "Hello John, from here")
    status, text = site.ask("GET", "/notes.txt")
    assert status == 200 and text.startswith("The first line"), text


@check
def who_asked(site, application):
    status, text = site.ask("GET", "/who", **{"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example"})
    host, client, forwarded_host = text.split()
    assert (status, client, forwarded_host) == (200, "127.0.0.1", f"127.0.0.1:{site.port}"), text
    assert host == f"127.0.0.1:{site.port}", text


@check
def an_upload(site, application):
    body = os.urandom(5_000_000)
    expected = f"{len(body)} {hashlib.sha256(body).hexdigest()}\n"
    assert site.ask("POST", "/upload", body) == (200, expected)
    chunks = (body[at : at + 70_000] for at in range(0, len(body), 70_000))
    assert site.ask("POST", "/upload", chunks) == (200, expected)


@check
def a_stream_that_is_not_held_back(site, application):
    connection = site.connect()
    connection.request("GET", "/stream")
    response = connection.getresponse()
    began, times, text = time.monotonic(), [], b""
    while line := response.readline():
        times.append(time.monotonic() - began)
        text += line
    assert text == b"".join(b"line %d\n" % number for number in range(10)), text
    assert response.getheader("transfer-encoding") == "chunked"
    assert times[-1] - times[0] > 0.3, times


@check
def an_application_that_dies_in_the_middle(site, application):
    connection = site.connect()
    connection.request("GET", "/dies")
    response = connection.getresponse()
    assert response.status == 200
    try:
        response.read()
        raise AssertionError("the body looks whole")
    except (http.client.IncompleteRead, ConnectionError):
        pass
    # gunicorn starts another process, and the server has worked meanwhile.
    assert site.ask("GET", "/hello/John")[0] == 200
    wait_for(lambda: site.ask("GET", "/")[0] == 200, "the next worker")


@check
def an_application_that_never_answers(site, application):
    began = time.monotonic()
    status, text = site.ask("GET", "/sleeps")
    assert status == 504 and 1.5 < time.monotonic() - began < 10, (status, text)
    assert site.ask("GET", "/")[0] == 200


@check
def an_application_that_is_killed_and_comes_back(site, application):
    connection = site.connect()
    connection.request("GET", "/stream")
    response = connection.getresponse()
    response.readline()
    application.kill()
    try:
        response.read()
        raise AssertionError("the body looks whole")
    except (http.client.IncompleteRead, ConnectionError):
        pass
    status, text = site.ask("GET", "/")
    assert status == 502 and application.bind not in text, (status, text)
    assert site.ask("POST", "/upload", b"x" * 1_000_000)[0] == 502
    assert site.ask("GET", "/hello/John")[0] == 200
    application.__init__(application.bind)
    assert site.ask("GET", "/") == (200, "the old front page, in Python\n")


@check
def the_server_ends_well(site, application):
    site.process.send_signal(signal.SIGTERM)
    assert site.process.wait(PATIENCE) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    with tempfile.TemporaryDirectory() as folder:
        tcp = f"127.0.0.1:{free_port()}"
        for bind, upstream in [(tcp, f"http://{tcp}"), (f"unix:{folder}/app.sock",) * 2]:
            application = Application(bind)
            site = Site(upstream)
            try:
                for test in CHECKS:
                    test(site, application)
                    print("ok", bind.split(":")[0], test.__name__)
            finally:
                site.process.kill()
                application.kill()


if __name__ == "__main__":
    sys.exit(main())
