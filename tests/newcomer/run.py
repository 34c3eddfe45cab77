"""What a newcomer does: a fresh axum project for each crate, outside of the workspace. The crate is added as its README says, the first axum snippet of that
README is put into a `main` that serves it on a free port, and curl asks it. Run by `just newcomer`; it takes some minutes, as the first build does.
"""

import contextlib
import http.server
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

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
    "tower-exception": [("/divide/2", 200, "3"), ("/divide/0", 500, r"500 Internal Server Error\nincident [0-9a-f]{32}\n")],
    "tower-hooks": [("/", 200, "fine")],
    "tower-kit": [("/", 503, "come back tomorrow\n"), ("-H accept:application/json /", 503, r'\{.*"come back tomorrow".*\}\n?')],
    "tower-lint": [("/", 200, "fine")],
    "tower-origin": [
        ("/", 200, r"Some\(127\.0\.0\.1\)"),
        ("-H x-forwarded-for:192.0.2.7 /", 200, r"Some\(192\.0\.2\.7\)"),
        ("-H host:evil.example /", 400, ".*"),
    ],
    "tower-serve": [("/", 200, "hello"), ("-I /", 200, "(?i).*content-length: 5\r\n.*")],
    "tower-static": [("/api", 200, "an API"), ("/a.txt", 200, "a file\n"), ("-r 2-5 /a.txt", 206, "file"), ("/nowhere", 404, "404 Not Found\n")],
    "tower-upstream": [("/new", 200, "new"), ("/a.txt", 200, "a file\n"), ("/nowhere", 404, "(?s).*File not found.*")],
}
# The host that origin's snippet serves; the others accept any.
HOST = "example.org"

# What snippets use besides axum and tokio, by the name in a path.
OTHERS = {"bytes": "bytes@1", "http": "http@1", "http_body_util": "http-body-util@0.1", "tower": "tower@0.5"}

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
    app = "app()?" if "fn app()" in snippet else re.findall(r"^ *let (\w+)", snippet, re.M)[-1]
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
    # The other crates of the command come with those of the snippet.
    options = re.findall(r"--features \S+", said[-1]) if said else []
    options = [word for option in options for word in option.split()]
    cargo(project, "add", "--path", ROOT / "crates" / crate, *options)
    others = [OTHERS[name] for name in OTHERS if re.search(rf"\b{name}::", snippet)]
    cargo(project, "add", "tokio@1", "--features", "full")
    cargo(project, "add", "axum@0.8", *others)
    (project / "src" / "main.rs").write_text(program(snippet, changes))
    cargo(project, "build")
    print(crate, *([f"(cargo add {crate}{said[-1]})"] if said else []), flush=True)


def ask(crate, questions):
    server = subprocess.Popen([BUILT / "debug" / (crate + "-shop")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
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


def main():
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "www").mkdir()
        (folder / "www" / "a.txt").write_text("a file\n")
        upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Upstream(*args, directory=folder / "www"))
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # Places of the snippets that are others here.
        changes = {"/srv/www": str(folder / "www"), "10.0.0.5:8080": f"127.0.0.1:{upstream.server_port}", "127.0.0.1:8080": f"127.0.0.1:{port}"}
        for crate in sorted(path.parent.name for path in ROOT.glob("crates/*/README.md")):
            try:
                build(folder, crate, changes)
                failed += [crate] * bool(ask(crate, CRATES[crate]))
            except subprocess.CalledProcessError as error:
                failed.append(crate)
                print(f"{crate}: {error}", flush=True)
    sys.exit("not as their READMEs say: " + ", ".join(failed) if failed else 0)


if __name__ == "__main__":
    main()
