"""Rust in front and the program beside it, each site by one command: the files of examples/python with gunicorn, and PHP, node and uwsgi.

Run by `just python`, which builds the command first. With arguments, only the checks of these names. gunicorn, Paste and WebTest are installed
into target/python; php-cgi8.2, php-fpm8.2, node and uwsgi are Debian's, and their checks say so when they are missing.
"""

import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import run

PATIENCE = run.PATIENCE
PYTHON = run.ROOT / "examples" / "python"
PACKAGES = ["gunicorn==23.0.0", "Paste", "WebTest"]
# What every line of a process has in the log.
OF_PROCESS = re.compile(r'process="')


def install():
    run.installed()
    marker = run.VENV / "lints"
    if not marker.exists():
        subprocess.run([run.VENV / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)
        marker.touch()


class Site(run.Site):
    """tower-deploy serve FILE, and its log."""

    def __init__(self, file, **environment):
        path = f"{run.VENV / 'bin'}:{os.environ['PATH']}"
        environment = dict(os.environ, PATH=path, NO_COLOR="1", PYTHONDONTWRITEBYTECODE="1", **environment)
        self.log = tempfile.NamedTemporaryFile("w+", prefix="tower-log-")
        args = [run.COMMAND, "serve", file, "--bind", "127.0.0.1:0"]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)
        for line in self.process.stdout:
            if found := re.match(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        raise SystemExit(f"tower-deploy did not start: {self.said()}")

    def said(self):
        return pathlib.Path(self.log.name).read_text()

    def family(self):
        """The processes below the server, by id, with their states."""
        parents = {}
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rsplit(") ", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(path.parent.name)] = (int(words[1]), words[0])
        found, last = {}, {self.process.pid}
        while last:
            last = {pid for pid, (parent, _) in parents.items() if parent in last}
            found.update({pid: parents[pid][1] for pid in last})
        return found

    def leader(self):
        """The id of the command's first process, which is in the log."""
        return int(re.findall(r"the process accepts connections.* id=(\d+)", self.said())[-1])

    def end(self):
        """SIGTERM, and nothing of it is left."""
        family = self.family()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.said()
        gone(family)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def gone(family):
    """None of these processes is left, not even as a zombie."""
    left = lambda: [pid for pid in family if os.path.exists(f"/proc/{pid}")]
    deadline = time.monotonic() + PATIENCE
    while left():
        assert time.monotonic() < deadline, left()
        time.sleep(0.05)


CHECKS = []


def check(test):
    CHECKS.append(test)
    return test


@check
def an_application_that_is_moved_route_by_route():
    with Site(PYTHON / "python.ini") as site:
        for test in run.CHECKS:
            # The others kill what they have started themselves.
            if "killed" not in test.__name__ and "ends" not in test.__name__:
                test(site, None)
        site.end()


@check
def the_hello_application_of_the_article():
    with Site(PYTHON / "hello.ini") as site:
        assert site.ask("GET", "/") == (200, '<p>Hello World!</p>\n<p><a href="hello/">continue</a></p>\n')
        assert site.ask("GET", "/?subject=%3CJohn%3E")[1].startswith("<p>Hello &lt;John&gt;!</p>")
        assert site.ask("GET", "/hello/John") == (200, "<p>Hello John!</p>\n")
        assert site.ask("GET", "/hello/") == (200, "<p>Hello World!</p>\n")
        assert site.ask("GET", "/hello/Rust") == (200, "<p>Hello Rust, from here!</p>")
        assert site.ask("GET", "/nowhere")[0] == 404
        assert site.ask("GET", "/hello/fails")[0] == 500
        run.wait_for(lambda: re.search(r"there is nothing to greet.*process=\"hello\"", site.said()), "the traceback")
        site.end()


@check
def the_cascade_of_pylons():
    with Site(PYTHON / "cascade.ini") as site:
        status, text = site.ask("GET", "/notes.txt")
        assert status == 200 and text.startswith("The first line"), text
        assert site.ask("GET", "/") == (200, "the old front page, in Python\n")
        body = os.urandom(200_000)
        assert site.ask("POST", "/upload", body)[1].startswith("200000 ")
        assert site.ask("GET", "/nowhere") == (404, "not in Python either\n")
        site.end()


@check
def gunicorn_is_killed_under_load():
    with Site(PYTHON / "python.ini") as site:
        assert site.ask("GET", "/")[0] == 200
        rounds, over, killed = [], threading.Event(), []

        def ask_on():
            while not over.is_set():
                began = time.monotonic()
                try:
                    status = site.ask("GET", "/stream" if len(rounds) % 8 == 0 else "/")[0]
                except (http.client.HTTPException, ConnectionError):
                    status = None
                rounds.append((began, time.monotonic(), status))

        clients = [threading.Thread(target=ask_on) for _ in range(8)]
        for client in clients:
            client.start()
        for _ in range(5):
            time.sleep(1.5)
            victim = site.leader()
            # The watchdog stays.
            before = [pid for pid in site.family() if os.getpgid(pid) == victim]
            moment = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            killed.append((moment, before))
            run.wait_for(lambda: site.leader() != victim, "the next gunicorn")
        time.sleep(1)
        over.set()
        for client in clients:
            client.join()
        # A request that began when gunicorn was dead, or after that, waits and succeeds. The system
        # takes a moment to report a death.
        failed = [(began, ended) for began, ended, status in rounds if status != 200]
        late = [(began, ended) for began, ended in failed if not any(began <= moment + 0.05 and ended >= moment for moment, _ in killed)]
        waited = max(ended - began for began, ended, status in rounds if status == 200)
        print(f"   {len(rounds)} requests, {len(failed)} failed, of them {len(late)} that began later; the longest wait was {waited:.2f} s")
        assert not late, late
        for _, before in killed:
            gone(before)
        zombies = [pid for pid, state in site.family().items() if state == "Z"]
        assert not zombies, zombies
        site.end()


@check
def nothing_outlives_a_command_that_is_killed():
    with Site(PYTHON / "python.ini") as site:
        assert site.ask("GET", "/")[0] == 200
        family = site.family()
        # The watchdog, gunicorn's master, and its worker.
        assert len(family) >= 3, family
        site.process.kill()
        site.process.wait()
        gone(family)


@check
def a_reload_loses_no_request():
    with Site(PYTHON / "python.ini") as site:
        assert site.ask("GET", "/")[0] == 200
        before, over, wrong, count = site.family(), threading.Event(), [], []

        def ask_on():
            while not over.is_set():
                status, text = site.ask("GET", "/stream")
                count.append(status)
                if status != 200 or not text.endswith("line 9\n"):
                    wrong.append((status, text))

        clients = [threading.Thread(target=ask_on) for _ in range(6)]
        for client in clients:
            client.start()
        for _ in range(3):
            rebuilt = site.said().count("the site is rebuilt")
            site.process.send_signal(signal.SIGHUP)
            run.wait_for(lambda: site.said().count("the site is rebuilt") > rebuilt, "the new site")
        time.sleep(1)
        over.set()
        for client in clients:
            client.join()
        print(f"   {len(count)} streams and three reloads")
        assert not wrong, wrong[:3]
        gone(before)
        site.end()


LINTED = """
[app:main]
use = egg:tower#process
command = gunicorn --bind unix:{{socket}} --threads 4 linted:application
directory = {directory}
environment = LINT={lint}
keep_alive = 1500ms
"""

# Requests that a checker of WSGI may have an opinion about, and the status of each.
REQUESTS = [
    ("GET", "/", None, {}, 200),
    ("HEAD", "/", None, {}, 200),
    ("OPTIONS", "/", None, {}, 200),
    ("DELETE", "/", None, {}, 200),
    ("GET", "/nowhere", None, {}, 404),
    ("GET", "/a%2Fb/%C3%B6/%ff", None, {}, 404),
    ("GET", "//a///b/", None, {}, 404),
    ("GET", "/who?a=b&c=%ff&&=", None, {}, 200),
    ("GET", "/who?", None, {"Cookie": "a=b; c=d", "Accept": "*/*", "X-A": "b"}, 200),
    ("GET", "/who", None, {"Content-Type": "text/plain"}, 200),
    ("GET", "/stream", None, {}, 200),
    ("HEAD", "/stream", None, {}, 200),
    ("GET", "/", None, {"Range": "bytes=0-1", "If-None-Match": '"x"'}, 200),
    ("POST", "/upload", b"", {}, 200),
    ("POST", "/upload", b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 200),
    ("PUT", "/upload", bytes(200_000), {"Content-Type": "application/octet-stream"}, 200),
    ("POST", "/upload", [b"a" * 5_000, b"b" * 70_000], {}, 200),
    ("POST", "/upload", [], {}, 200),
]


@check
def checkers_of_wsgi_are_silent():
    for lint in ["wsgiref.validate", "paste.lint", "webtest.lint"]:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "site.ini"
            file.write_text(LINTED.format(directory=run.ROOT / "tests" / "python", lint=lint))
            with Site(file, PYTHONWARNINGS="default,ignore::DeprecationWarning") as site:
                for method, path, body, headers, expected in REQUESTS:
                    status, text = site.ask(method, path, iter(body) if isinstance(body, list) else body, **headers)
                    assert status == expected, (lint, method, path, status, text, site.said())
                said = [line for line in site.said().splitlines() if OF_PROCESS.search(line) and re.search("Error|Warning|Traceback|assert", line)]
                assert not said, said
                assert site.ask("GET", "/wrong")[0] == 500, site.said()
                run.wait_for(lambda: "AssertionError" in site.said(), f"the error of {lint}")
                print(f"   {lint}: {len(REQUESTS)} requests")
                site.end()


def serve(text, name, requests):
    """A site with one process, in a directory with the files of other programs."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "www").mkdir()
        (folder / "www" / "index.php").write_text("<?php echo $_SERVER['SCRIPT_NAME'] . $_SERVER['PATH_INFO'] . ' ' . file_get_contents('php://input');")
        (folder / "server.js").write_text("require('http').createServer((q, s) => s.end(q.url)).listen(process.env.SOCKET)")
        (folder / "fpm.conf").write_text(
            "[global]\nerror_log = /dev/stderr\n[www]\nlisten = ${SOCKET}\npm = static\npm.max_children = 2\nuser = root\ngroup = root\n"
        )
        file = folder / "site.ini"
        file.write_text(f"[app:main]\nuse = egg:tower#process\n{text}".replace("HERE", str(folder)))
        with Site(file) as site:
            for method, path, body, expected in requests:
                assert site.ask(method, path, body) == (200, expected), (site.ask(method, path, body), site.said())
            # It comes back.
            victim = site.leader()
            os.kill(victim, signal.SIGKILL)
            time.sleep(0.1)
            method, path, body, expected = requests[0]
            assert site.ask(method, path, body) == (200, expected), site.said()
            site.end()
            print("  ", name)


PHP = [("GET", "/", None, "/index.php "), ("POST", "/index.php/a", b"body", "/index.php/a body")]


@check
def other_programs_than_python():
    sites = [
        ("php-cgi8.2", "command = php-cgi8.2 -b {socket}\nspeaks = fastcgi\ndocument_root = HERE/www\n", PHP),
        (
            "php-fpm8.2",
            "command = php-fpm8.2 --nodaemonize --allow-to-run-as-root --fpm-config HERE/fpm.conf\nenvironment = SOCKET={socket}\n"
            "speaks = fastcgi\ndocument_root = HERE/www\n",
            PHP,
        ),
        ("node", "command = node HERE/server.js\nenvironment = SOCKET={socket}\n", [("GET", "/a?b", None, "/a?b")]),
        (
            "uwsgi",
            f"command = uwsgi --plugin python3 --die-on-term --master --scgi-socket {{socket}} --chdir {PYTHON} --module app\nspeaks = scgi\n",
            [("GET", "/", None, "the old front page, in Python\n")],
        ),
    ]
    for program, text, requests in sites:
        if shutil.which(program):
            serve(text, program, requests)
        else:
            print(f"   {program} is not installed")


def main():
    install()
    names = sys.argv[1:]
    for test in CHECKS:
        if not names or test.__name__ in names:
            test()
            print("ok", test.__name__, flush=True)


if __name__ == "__main__":
    sys.exit(main())
