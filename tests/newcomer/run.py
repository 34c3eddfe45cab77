"""What a newcomer does: a fresh axum project for each crate, outside of the workspace. The crate is added as its README says, the first axum snippet of that
README is put into a `main` that serves it on a free port, and curl asks it. Behind tower-upstream is an HTTP server of this script, behind tower-gateway a php-fpm,
and behind tower-process the gunicorn that its README starts. Run by `just newcomer`; it takes some minutes, as the first build does. With names of crates, only these.
"""

import contextlib
import getpass
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
CARGO = os.environ.get("CARGO", "cargo")
# The build stays, so that a second run is quicker.
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target" / "newcomer"))

# For each crate what curl is asked, with the status and the text of the response.
CRATES = {
    "tower-body-rewrite": [("/", 200, '<body>Hello<script src="/live.js"></script></body>')],
    "tower-cascade": [("-d one /orders/7", 200, "one"), ("-d two /orders/8", 200, "two"), ("/orders/7", 405, ""), ("/", 404, "")],
    "tower-deploy": [("/", 200, "Hello")],
    "tower-dispatch": [("/v2/a/b/tags", 200, "the tags of a/b"), ("/users/7", 200, "a user"), ("/users/x", 404, ".*")],
    "tower-environ": [("/here/", 200, "read it here"), ("/", 404, "nothing is mounted at this path\n")],
    "tower-error-document": [
        ("-d {} -H content-type:application/json /orders", 200, "done"),
        ("-d {} /orders", 415, "415 Unsupported Media Type\n"),
        ("-d { -H content-type:application/json -H accept:application/problem+json /orders", 400, r'\{.*"status":400.*\}\n?'),
        ("-H accept:text/html /", 404, "<!DOCTYPE html>.*404 Not Found.*"),
    ],
    "tower-exception": [("/divide/2", 200, "3"), ("/divide/0", 500, r"500 Internal Server Error\nincident [0-9a-f]{32}\n")],
    "tower-gateway": [
        ("/new", 200, "new"),
        ("/hello.php/you?n=1", 200, "/hello.php /you n=1"),
        ("-d some /hello.php", 200, "/hello.php  some"),
        ("/nowhere", 404, "there is no script at this path\n"),
    ],
    "tower-hooks": [("/", 200, "fine")],
    "tower-kit": [("/", 503, "come back tomorrow\n"), ("-H accept:application/json /", 503, r'\{.*"come back tomorrow".*\}\n?')],
    "tower-lint": [("/", 200, "fine")],
    "tower-origin": [
        ("/", 200, r"Some\(127\.0\.0\.1\)"),
        ("-H x-forwarded-for:192.0.2.7 /", 200, r"Some\(192\.0\.2\.7\)"),
        ("-H host:evil.example /", 400, ".*"),
    ],
    "tower-process": [("/new", 200, "new"), ("/old?n=1", 200, "/old n=1, from gunicorn")],
    "tower-serve": [("/", 200, "hello"), ("-I /", 200, "(?i).*content-length: 5\r\n.*")],
    "tower-static": [("/api", 200, "an API"), ("/a.txt", 200, "a file\n"), ("-r 2-5 /a.txt", 206, "file"), ("/nowhere", 404, "404 Not Found\n")],
    "tower-upstream": [("/new", 200, "new"), ("/a.txt", 200, "a file\n"), ("/nowhere", 404, "(?s).*File not found.*")],
}
# The host that origin's snippet serves; the others accept any.
HOST = "example.org"

# What snippets use besides axum and tokio, by the name in a path.
OTHERS = {"bytes": "bytes@1", "http": "http@1", "http_body_util": "http-body-util@0.1", "serde_json": "serde_json@1", "tower": "tower@0.5"}

# The programs behind tower-gateway and tower-process.
PHP = "<?php echo $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['PATH_INFO'] ?? '', ' ', $_SERVER['QUERY_STRING'] . file_get_contents('php://input');"
FPM = """[global]
error_log = {folder}/fpm.log
[www]
user = {user}
listen = {folder}/fpm.sock
pm = static
pm.max_children = 1
"""
WSGI = """def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['PATH_INFO']} {environ['QUERY_STRING']}, from {environ['SERVER_SOFTWARE'].split('/')[0]}".encode()]
"""
PYTHON = BUILT / "python"

SERVED = """#![allow(unused_variables)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {{
{snippet}
    let listener = tokio::net::TcpListener::bind("{address}").await?;
    println!("{{}}", listener.local_addr()?);
    {end};
    Ok(())
}}
"""


def program(snippet, changes):
    """A snippet in a `main` that serves the last thing that it makes."""
    for old, new in changes.items():
        snippet = snippet.replace(old, new)
    # The statements of its own `fn main`, if it has one.
    snippet = re.sub(r"^fn main\(\) .*?\{\n(.*?)^    Ok\(\(\)\)\n\}$", r"\1", snippet, flags=re.M | re.S)
    made = re.search(r"^fn (\w+)\(\) -> Result<Router", snippet, re.M)
    app = f"{made[1]}()?" if made else re.findall(r"^ *let (\w+)", snippet, re.M)[-1]
    # tower-serve listens by itself.
    end = "drop(listener); run().await?" if "fn run()" in snippet else f"axum::serve(listener, {app}).await?"
    return SERVED.format(snippet=snippet, end=end, address=changes["127.0.0.1:8080"])


def cargo(project, *args):
    env = dict(os.environ, CARGO_TARGET_DIR=str(BUILT), CARGO_TERM_COLOR="never", CARGO_TERM_QUIET="true")
    subprocess.run([CARGO, *args], cwd=project, env=env, check=True)


def build(folder, crate, changes):
    """Makes the project, as the README says."""
    readme = (ROOT / "crates" / crate / "README.md").read_text()
    snippet = next(s for s in re.findall(r"^```rust\n(.*?)^```$", readme, re.M | re.S) if "axum" in s)
    # The last command is the one for applications, where there are several.
    said = re.findall(rf"`cargo add {crate}\b([^`]*)`", readme)
    cargo(folder, "new", crate + "-shop")
    project = folder / (crate + "-shop")
    options = re.findall(r"--features \S+", said[-1]) if said else []
    options = [word for option in options for word in option.split()]
    cargo(project, "add", "--path", ROOT / "crates" / crate, *options)
    # The other crates of the command come with those of the snippet.
    for other in sorted(set(re.findall(r"\btower_\w+(?=::)", snippet)) - {crate.replace("-", "_")}):
        cargo(project, "add", "--path", ROOT / "crates" / other.replace("_", "-"))
    others = [OTHERS[name] for name in OTHERS if re.search(rf"\b{name}::", snippet)]
    cargo(project, "add", "tokio@1", "--features", "full")
    cargo(project, "add", "axum@0.8", *others)
    (project / "src" / "main.rs").write_text(program(snippet, changes))
    cargo(project, "build")
    print(crate, *([f"(cargo add {crate}{said[-1]})"] if said else []), flush=True)


def wait_until(is_so, what):
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    sys.exit(f"not within 30 seconds: {what}")


@contextlib.contextmanager
def php_fpm(folder):
    """php-fpm on a Unix socket, as the user of this script."""
    (folder / "fpm.conf").write_text(FPM.format(folder=folder, user=getpass.getuser()))
    fpm = subprocess.Popen(["php-fpm8.2", "-F", "-R", "-y", folder / "fpm.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_until((folder / "fpm.sock").is_socket, "php-fpm listens")
        yield
    finally:
        fpm.terminate()
        fpm.wait()


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def gunicorn(folder):
    """gunicorn, for a program that starts it. It ends here, because no program outlives SIGKILL and stops another one."""
    if not (PYTHON / "bin" / "gunicorn").exists():
        venv.create(PYTHON, with_pip=True)
        subprocess.run([PYTHON / "bin" / "pip", "install", "-q", "gunicorn"], check=True)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            process = int((folder / "gunicorn.pid").read_text())
            os.kill(process, signal.SIGTERM)
            wait_until(lambda: not is_running(process), "gunicorn has ended")


def ask(crate, questions, folder):
    # gunicorn of tower-process is in PATH, and its app in the directory. The file has its id, and HOME its control socket.
    env = dict(os.environ, PATH=f"{PYTHON / 'bin'}:{os.environ['PATH']}", GUNICORN_CMD_ARGS=f"--pid {folder / 'gunicorn.pid'}")
    env |= {"HOME": str(folder), "TMPDIR": str(folder)}
    program = BUILT / "debug" / (crate + "-shop")
    server = subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder, env=env)
    failures = 0
    try:
        address = server.stdout.readline().strip()
        host, port = address.split(":")
        for _ in range(100):
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection((host, port)):
                break
            time.sleep(0.05)
        for question, status, text in questions:
            *options, path = question.split()
            curl = ["curl", "-s", "-m", "10", "--connect-to", f"{HOST}:80:{address}"]
            curl += ["-w", "\n%{http_code}", *options, f"http://{HOST}{path}"]
            body, _, code = subprocess.run(curl, stdout=subprocess.PIPE).stdout.decode().rpartition("\n")
            right = code == str(status) and re.fullmatch(text, body, re.S)
            failures += not right
            print(f"    {question}: {code} {body[:200]!r}" + ("" if right else f", and not {status} {text!r}"))
    finally:
        server.kill()
        server.wait()
    return failures


class Upstream(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


BEHIND = {"tower-gateway": php_fpm, "tower-process": gunicorn}


def main():
    crates = sorted(path.parent.name for path in ROOT.glob("crates/*/README.md"))
    if crates != sorted(CRATES):
        sys.exit("CRATES has to have each crate, and no other: " + ", ".join(sorted(set(crates) ^ set(CRATES))))
    # Debian has php-fpm in /usr/sbin, which is in the PATH of root alone.
    os.environ["PATH"] += ":/usr/sbin"
    missing = [tool for tool in ["curl", "php-fpm8.2"] if not shutil.which(tool)]
    if missing:
        sys.exit(f"{', '.join(missing)}: missing; apt-get install curl php8.2-fpm")
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "www").mkdir()
        (folder / "www" / "a.txt").write_text("a file\n")
        (folder / "www" / "hello.php").write_text(PHP)
        (folder / "app.py").write_text(WSGI)
        upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Upstream(*args, directory=folder / "www"))
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # Places of the snippets that are others here.
        changes = {
            "/srv/www": str(folder / "www"),
            "/run/php/php8.2-fpm.sock": str(folder / "fpm.sock"),
            "10.0.0.5:8080": f"127.0.0.1:{upstream.server_port}",
            "127.0.0.1:8080": f"127.0.0.1:{port}",
        }
        for crate in sys.argv[1:] or crates:
            try:
                build(folder, crate, changes)
                with BEHIND.get(crate, contextlib.nullcontext)(*[folder] * (crate in BEHIND)):
                    failed += [crate] * bool(ask(crate, CRATES[crate], folder))
            except subprocess.CalledProcessError as error:
                failed.append(crate)
                print(f"{crate}: {error}", flush=True)
    sys.exit("not as their READMEs say: " + ", ".join(failed) if failed else 0)


if __name__ == "__main__":
    main()
