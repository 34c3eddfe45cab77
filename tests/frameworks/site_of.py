"""A site of tower-deploy in front of one application, and a client of it."""

import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from urllib.parse import urljoin

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = ROOT / "target" / "frameworks"
APPS = pathlib.Path(__file__).parent / "apps"
COMMAND = ROOT / "target" / "debug" / "tower-deploy"
PATIENCE = 30
# Another address than the site's own, so that the client can be told from the proxy.
CLIENT = "127.0.0.2"
FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=http",
    "SCRIPT_NAME": "/evil",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


class Application:
    """One application of apps/, with the files of a page, started by a command that names port 8081."""

    def __init__(self, name, files, command):
        self.directory = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.directory.name)
        self.port = free_port()
        shutil.copytree(APPS / name, self.path, dirs_exist_ok=True)
        for file, text in files.items():
            path = self.path / file
            before = path.read_text() if path.exists() else ""
            if "// SETTINGS" in before:
                text = before.replace("// SETTINGS", text)
            else:
                text = f"{before}\n{text}"
            path.write_text(text.replace("8081", str(self.port)))
        for path in self.path.glob("*.js"):
            path.write_text(path.read_text().replace("8081", str(self.port)))
        program, *arguments = shlex.split(command.replace("8081", str(self.port)))
        own = HOME / "bin" / program
        environ = {**os.environ, "NODE_PATH": str(HOME / "node_modules")}
        self.log = open(self.path / "log", "w")
        self.process = subprocess.Popen(
            [own if own.exists() else program, *arguments],
            cwd=self.path, env=environ, stdout=self.log, stderr=self.log, start_new_session=True,
        )
        if not wait_for(self.port, self.process):
            self.end()
            raise SystemExit(f"{command} did not start: {self.output}")

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()
        self.output = (self.path / "log").read_text()[-2000:]
        self.directory.cleanup()


class Site:
    """tower-deploy with a file in which the address of the application is replaced."""

    def __init__(self, text):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".ini")
        self.file.write(text)
        self.file.flush()
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [COMMAND, "serve", self.file.name, "--bind", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        for line in self.process.stdout:
            if found := re.match(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        self.log.seek(0)
        raise SystemExit(f"tower-deploy did not start: {self.log.read()}")

    def ask(self, method, path, body=None, host="site.example", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, source_address=(CLIENT, 0))
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": host, **FORGED, **headers})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response, body

    def leads_to(self, method, path, url="https://site.example", **more):
        """The status of a response, and the URL to which it redirects."""
        response, _ = self.ask(method, path, **more)
        location = response.getheader("location")
        return response.status, location and urljoin(url + path, location)

    def seen(self, at):
        """What the application below this path reports, and where it redirects."""
        response, body = self.ask("GET", f"{at}/items/1")
        if response.status != 200:
            return {"item": (response.status, body[:200])}
        seen = json.loads(body)
        seen["dir"] = self.leads_to("GET", f"{at}/dir")[1]
        seen["go"] = self.leads_to("GET", f"{at}/go")[1]
        response, token = self.ask("GET", f"{at}/form")
        cookie = (response.getheader("set-cookie") or "").split(";")[0]
        status, where = self.leads_to(
            "POST", f"{at}/form", body=f"csrfmiddlewaretoken={token.strip()}", Cookie=cookie,
            Origin="https://site.example", Content_Type="application/x-www-form-urlencoded",
        )
        seen["form"] = where or status
        return seen

    def end(self):
        self.process.kill()
        self.process.wait()
