"""A site under load whose file is rewritten a hundred times, thirty of them broken; then a thousand reloads more, and the memory afterwards.

Run by `just reload`, which builds the command first. wrk is from Debian's packages.
"""

import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = ROOT / "target" / "release" / "tower-deploy"
SECONDS, REWRITES, BROKEN, MORE = 30, 100, 30, 1000

MAIN = """\
[pipeline:main]
pipeline = errors hello routes

[filter:errors]
use = egg:tower#exception

[filter:hello]
use = egg:tower#environ
site.hello = Hello

[composite:routes]
use = egg:tower#cascade
app1 = static
app2 = config:routes.ini

[app:static]
use = egg:tower#static
document_root = %(here)s/files
"""
ROUTES = """\
[composite:main]
use = egg:tower#router
urlpatterns =
    GET  /hello/{name}  hello
    GET  ^/number/(\\d+)$  hello

[app:hello]
use = egg:tower#text
text = version NUMBER
"""


class Site:
    def __init__(self, folder):
        self.routes = folder / "routes.ini"
        (folder / "files").mkdir()
        (folder / "main.ini").write_text(MAIN)
        self.write(0)
        args = [COMMAND, "serve", folder / "main.ini", "--reload", "--bind", "127.0.0.1:0"]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if found := re.match(r"listening on (.*)", line):
                self.url = found[1]
                break
        self.told = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Its lines about reloads. The lines of requests are read too, so that it is not blocked."""
        for line in self.process.stderr:
            if "is rebuilt" in line or " --> " in line:
                self.told.put(line.strip())

    def write(self, number, broken=None, way=0):
        text = ROUTES.replace("NUMBER", str(number))
        if broken:
            text = text.replace("text =", "\n" * broken + "txet =")
        if way == 0:
            self.routes.write_text(text)
        elif way == 1:
            beside = self.routes.with_suffix(".ini~")
            beside.write_text(text)
            beside.rename(self.routes)
        else:
            self.routes.unlink()
            self.routes.write_text(text)

    def says(self):
        return self.told.get(timeout=20)

    def answer(self):
        return urllib.request.urlopen(self.url + "/hello/x").read().decode()

    def memory(self):
        """Resident, in KiB; and open files."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        files = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]), files


def under_load(site):
    wrk = subprocess.Popen(
        ["wrk", "-t1", "-c32", f"-d{SECONDS}s", "--timeout", "10s", f"{site.url}/hello/x"], stdout=subprocess.PIPE, text=True
    )
    began, reported, built, between = time.monotonic(), 0, 0, 0
    for number in range(1, REWRITES + 1):
        is_broken = number * BROKEN // REWRITES > (number - 1) * BROKEN // REWRITES
        lines = number % 7 + 1
        site.write(number, broken=lines if is_broken else None, way=number % 3)
        said = site.says()
        # On a machine that is busy enough, this script may be stopped while the file is gone or empty.
        while said.endswith(("main.ini:14:8", "routes.ini:1:1")):
            between, said = between + 1, site.says()
        if is_broken:
            assert said.endswith(f"routes.ini:{9 + lines}:1"), said
            reported += 1
        else:
            assert "is rebuilt" in said, said
            built += 1
        time.sleep(max(0, began + number * (SECONDS - 2) / REWRITES - time.monotonic()))
    out = wrk.communicate()[0]
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    requests = int(re.search(r"(\d+) requests in", out)[1])
    print(f"{requests} requests in {SECONDS} s, none failed; {built} times built anew, {reported} broken files reported with their line, {between} half saved")
    assert (built, reported) == (REWRITES - BROKEN, BROKEN)
    assert site.answer() == f"version {REWRITES - 1}", site.answer()


def main():
    with tempfile.TemporaryDirectory() as folder:
        site = Site(pathlib.Path(folder))
        try:
            under_load(site)
            time.sleep(1)
            samples = [site.memory()]
            for number in range(MORE):
                site.write(1000 + number, way=1)
                assert "is rebuilt" in site.says()
                if number % 200 == 199:
                    samples.append(site.memory())
            print("memory in KiB and open files, before and after each 200 of", MORE, "reloads:", *samples)
            assert site.answer() == f"version {999 + MORE}"
            # The last half adds nothing.
            assert samples[-1][0] < samples[3][0] * 1.05, samples
            assert samples[-1][1] == samples[0][1], samples
            site.process.send_signal(signal.SIGTERM)
            assert site.process.wait(20) == 0
        finally:
            site.process.kill()


if __name__ == "__main__":
    sys.exit(main())
