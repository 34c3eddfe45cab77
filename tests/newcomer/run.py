"""What a newcomer does: a fresh axum project outside of the workspace, each crate added to it by its path, the first program of its README run, and then its
axum snippet served and asked with curl. Run by `just newcomer`; it takes some minutes, as the first build does.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What is built may stay, so that a second time is quicker.
BUILT = ROOT / "target" / "newcomer"

# What the axum snippet of each README calls its app; what is asked of it, with which status and text.
CRATES = {
    "tower-environ": ("mounted", [("/here/", 200, "read it here"), ("/", 404, "nothing is mounted at this path\n")]),
    "tower-origin": ("service", [("/", 200, r"Some\(127\.0\.0\.1\)")]),
    "tower-dispatch": ("app", [("/v2/a/b/tags", 200, "tags"), ("/", 200, "the rest")]),
    "tower-cascade": ("app", [("/first/1", 200, "first"), ("/", 200, "last"), ("/first", 404, "")]),
    "tower-body-rewrite": ("app", [("/", 200, "outer: inner: one\nouter: inner: two\n")]),
    "tower-exception": ("app", [("/divide/2", 200, "3"), ("/divide/0", 500, r"500 Internal Server Error\nincident [0-9a-f]{32}\n")]),
    "tower-hooks": ("app", [("/", 200, "fine"), ("/shop", 401, "Who are you\\?\n")]),
    "tower-lint": ("app", [("/", 200, "fine")]),
    "tower-deploy": ("app", [("/", 200, "Hello")]),
}
# The host that origin's snippet serves; nobody else minds.
HOST = "example.org"

# What the snippets use, by the name in a path, and how it is added.
OTHERS = {
    "axum": "axum@0.8",
    "bytes": "bytes@1",
    "http": "http@1",
    "http_body": "http-body@1",
    "http_body_util": "http-body-util@0.1",
    "hyper": "hyper@1",
    "serde": "serde@1 --features derive",
    "tokio": "tokio@1 --features full",
    "tower": "tower@0.5 --features util",
    "tower_http": "tower-http@0.7 --features limit,map-request-body",
}

SERVED = """#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {{
{snippet}
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{{}}", listener.local_addr()?);
    axum::serve(listener, {app}).await?;
    Ok(())
}}
"""


def snippets(crate):
    """The Rust snippets of a README."""
    readme = (ROOT / "crates" / crate / "README.md").read_text()
    return re.findall(r"^```rust\n(.*?)^```$", readme, re.M | re.S)


def statements(snippet):
    """A snippet without its `fn main`, but with what stands in it."""
    return re.sub(r"^fn main\(\) .*?\{\n(.*?)    Ok\(\(\)\)\n\}$", r"\1", snippet, flags=re.M | re.S)


def cargo(project, *args):
    env = dict(os.environ, CARGO_TARGET_DIR=str(BUILT), CARGO_TERM_COLOR="never", CARGO_TERM_QUIET="true")
    subprocess.run(["cargo", *args], cwd=project, env=env, check=True)


def write(project, program):
    for name in sorted(set(re.findall(r"\b([a-z_]+)::", program)) & set(OTHERS)):
        if name not in write.added:
            cargo(project, "add", *OTHERS[name].split())
            write.added.add(name)
    (project / "src" / "main.rs").write_text(program)


write.added = set()


def ask(project, app, questions):
    cargo(project, "build")
    server = subprocess.Popen([BUILT / "debug" / "shop"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = server.stdout.readline().strip()
        for path, status, text in questions:
            url = f"http://{HOST}{path}"
            curl = ["curl", "-s", "-m", "10", "--connect-to", f"{HOST}:80:{address}", "-w", "\n%{http_code}", url]
            body, _, code = subprocess.run(curl, capture_output=True, text=True, check=True).stdout.rpartition("\n")
            if int(code) != status or not re.fullmatch(text, body):
                sys.exit(f"{app}: {path} gave {code} {body!r}, and not {status} {text!r}")
            print(f"    {path}: {code} {body!r}")
    finally:
        server.kill()
        server.wait()


def main():
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder) / "shop"
        cargo(folder, "new", "shop")
        for crate, (app, questions) in CRATES.items():
            print(crate, flush=True)
            programs = snippets(crate)
            uses_axum = [snippet for snippet in programs if f"let {app}" in snippet and "axum" in snippet]
            features = ["--features", "axum"] if crate == "tower-origin" else []
            cargo(project, "add", "--path", ROOT / "crates" / crate, *features)
            first = programs[0] if "fn main" in programs[0] else f"fn main() {{\n{programs[0]}}}\n"
            write(project, first)
            cargo(project, "run")
            print("    the first program: its assertions hold")
            write(project, SERVED.format(snippet=statements(uses_axum[0]), app=app))
            ask(project, app, questions)


if __name__ == "__main__":
    main()
