"""Applications of crates.io, each as it is and with one layer of this workspace added by a patch.

Run by `just applications`; with names, only these. The sources come from crates.io by cargo, in the
versions of applications.py and of the lock file, and are built in target/applications. Both programs
serve the same files on loopback and get the same requests. Status, fields, content and trailers have
to be the same, except for what the layer is for (expected.py). It needs `curl` with HTTP/2 and
`protoc` (protobuf-compiler), which throttlecrab-server needs to be built.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import expected
import asks
import wire
from applications import APPLICATIONS
from build import build

SHOWN = 10
# The rules of tower-lint that dufs breaks, and what is seen of it without tower-lint.
BROKEN = {
    "302": "the response to HEAD of a missing file has a body in `status_not_found`, and hyper drops it",
    "305": "a 405 has no Allow on the wire",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """One of the two programs, with a directory of its own."""

    def __init__(self, application, program, folder):
        self.folder, self.log = folder / "site", folder / "log"
        asks.write(self.folder, asks.BOOK if application.name == "mdbook" else asks.FILES)
        self.port, self.other = free_port(), free_port()
        words = [word.format(directory=self.folder, port=self.port, other=self.other) for word in application.command]
        with open(self.log, "wb") as log:
            environment = {**os.environ, "RUST_BACKTRACE": "0"}
            self.process = subprocess.Popen([program, *words], stdout=log, stderr=log, cwd=folder, env=environment)
        self.wait_for(self.port)
        if "{other}" in "".join(application.command):
            self.wait_for(self.other)
        if application.name == "mdbook":
            # What it has built is as old as today.
            asks.settle(self.folder / "book")

    def wait_for(self, port):
        for _ in range(600):
            with socket.socket() as probe:
                if self.process.poll() is None and probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        sys.exit(f"{self.process.args[0]} does not listen on {port}:\n{self.log.read_text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(30)


class Table:
    """What each class of requests has shown."""

    def __init__(self, name):
        self.name, self.rows, self.failures = name, {}, 0

    def add(self, sort, before, after, wanted, fresh=(), what=""):
        row = self.rows.setdefault(sort, [0, 0, 0])
        row[0] += 1
        if after.comparable(fresh) != wanted.comparable(fresh):
            self.fail(f"{sort}: {what}", wanted, after)
        elif after.comparable(fresh) == before.comparable(fresh):
            row[1] += 1
        else:
            row[2] += 1

    def fail(self, what, wanted, found):
        self.failures += 1
        if self.failures <= SHOWN:
            shown = lambda response: f"{response.status} {response.fields} {response.content[:200]!r} {response.trailers}"
            print(f"{self.name}: {what}\n  expected {shown(wanted)}\n  found    {shown(found)}", flush=True)

    def print(self, application):
        for sort, (count, same, made) in self.rows.items():
            print(f"| {application.name} | {sort} | {count} | {same} | {made} |", flush=True)


def tagged(ask, tags):
    """The request with the entity tag that its target has, without the layer."""
    fields = [(name, value.replace("TAG", tags.get(ask.target) or '"none"')) for name, value in ask.fields]
    return ask.__class__(**{**vars(ask), "fields": fields})


def below(ask, application):
    """The request as it is sent to the application with the layer."""
    if application.name != "mdbook" or ask.sort == "outside":
        return ask
    return ask.__class__(**{**vars(ask), "target": "/guide" + ask.target})


def over_http(application, before, after, table):
    key = application.name.replace("-", "_")
    requests = list(getattr(asks, "of_" + OF.get(key, key))())
    wants = getattr(expected, "of_" + EXPECTED.get(key, key))
    kept = [ask for ask in requests if ask.sort == "kept connection"]
    if kept:
        theirs = wire.ask_all(before.port, kept)
        ours = wire.ask_all(after.port, [below(ask, application) for ask in kept])
        for answers in zip(kept, theirs, ours):
            compare(table, wants, *answers)
    tags = {}
    for ask in requests:
        if ask in kept:
            continue
        ask = tagged(ask, tags)
        if ask.sort == "HTTP/2":
            theirs, ours = (
                wire.call(running.port, ask.target, b"", ask.fields, ask.method) for running in (before, after)
            )
        else:
            [theirs] = wire.ask_all(before.port, [ask])
            [ours] = wire.ask_all(after.port, [below(ask, application)])
        tags.setdefault(ask.target, theirs.field("etag"))
        compare(table, wants, ask, theirs, ours)


def compare(table, wants, ask, theirs, ours):
    what = f"{ask.method} {ask.target} {ask.fields}"
    try:
        wanted = wants(ask, theirs, ours)
    except expected.Unexpected as unexpected:
        table.rows.setdefault(ask.sort, [0, 0, 0])[0] += 1
        return table.fail(f"{ask.sort}: {what}: {unexpected}", theirs, ours)
    table.add(ask.sort, theirs, ours, wanted, ask.fresh, what)


def over_grpc(before, after, table):
    for sort, path, content, fields, method in asks.calls_of_throttlecrab():
        theirs = wire.call(before.other, path, content, fields, method)
        ours = wire.call(after.other, path, content, fields, method)
        if sort != "panics":
            table.add(sort, theirs, ours, theirs, what=f"{method} {path} {fields} {content[:40]!r}")
            continue
        row = table.rows.setdefault(sort, [0, 0, 0])
        row[0] += 1
        try:
            text = expected.of_panic(theirs, ours)
        except expected.Unexpected as unexpected:
            table.fail(f"{sort}: {path}: {unexpected}", theirs, ours)
            continue
        incident = re.search(r"[0-9a-f]{16,}", text)
        if not incident or incident[0] not in after.log.read_text() or "a panic of ours" not in after.log.read_text():
            table.fail(f"{sort}: {path}: the log has no report of it", theirs, ours)
        row[2] += 1


def over_websocket(application, before, after, table):
    """The first message after a file has changed."""
    target, file = {
        "mdbook": ("/__livereload", "src/one.md"),
        "live-server": ("/live-server-ws", "notes.txt"),
    }[application.name]
    answers = []
    for running, prefix in ((before, ""), (after, "/guide" if application.name == "mdbook" else "")):
        path = running.folder / file
        answers.append(wire.websocket(running.port, prefix + target, lambda: path.write_text("# Changed\n")))
    table.add("WebSocket", *answers, answers[0], what=target)


def violations(application, after, table):
    """What LintLayer has reported. Each rule has to be one that is known, and to have a report."""
    found = {}
    for line in after.log.read_text(errors="replace").splitlines():
        if report := re.match(r"tower-lint, rule (\d+) \((\w+)\).*: (.*)", line):
            found.setdefault(report[1], []).append(report[3])
    for rule, seen in sorted(found.items()):
        print(f"{application.name}: rule {rule}, {len(seen)} reports, the first: {seen[0]}", flush=True)
    if found.keys() != BROKEN.keys():
        table.failures += 1
        print(f"{application.name}: expected the rules {sorted(BROKEN)} (found {sorted(found)})", flush=True)


# Which requests an application gets, and what its layer makes of them, where the names differ.
OF = {"live_server": "site", "static_web_server": "site", "throttlecrab_server": "throttlecrab"}
EXPECTED = {"throttlecrab_server": "throttlecrab"}


def check(application, programs, folder):
    table = Table(application.name)
    with contextlib.ExitStack() as stack:
        before, after = (
            stack.enter_context(Running(application, programs[application.name, side], folder / side))
            for side in ("before", "after")
        )
        over_http(application, before, after, table)
        if application.kind == "tonic":
            over_grpc(before, after, table)
        if application.name in ("mdbook", "live-server"):
            over_websocket(application, before, after, table)
        if application.layer == "LintLayer":
            violations(application, after, table)
    table.print(application)
    return table.failures


def main():
    names = sys.argv[1:]
    if unknown := set(names) - {application.name for application in APPLICATIONS}:
        sys.exit(f"unknown applications: {', '.join(sorted(unknown))}")
    if missing := [program for program in ("curl", "protoc") if not shutil.which(program)]:
        sys.exit(f"missing: {', '.join(missing)}")
    applications = [application for application in APPLICATIONS if not names or application.name in names]
    programs = build(applications)
    print("| application | requests | in all | the same | as the layer makes it |\n|---|---|---|---|---|")
    failures = 0
    for application in applications:
        with tempfile.TemporaryDirectory() as folder:
            for side in ("before", "after"):
                (pathlib.Path(folder) / side).mkdir()
            failures += check(application, programs, pathlib.Path(folder))
    if failures:
        sys.exit(f"{failures} responses differ")


if __name__ == "__main__":
    main()
