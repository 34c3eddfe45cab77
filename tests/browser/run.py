"""Opens the error page of `examples/error_page.rs` in Chromium, and checks what a user sees: that the failure is
visible and the libraries' calls are folded, that a script in hostile input does not run, and that no request leaves the page. With a
directory as an argument it leaves pictures there, wide and narrow, light and dark.

`just browser`; needs `chromium`, and `pdftotext` (Debian's poppler-utils), which prints what is visible and nothing else.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

PROGRAM = "target/debug/error-page"
CHROMIUM = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    # Requests of the browser itself stay on this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--virtual-time-budget=3000",
]
SCRIPT = "<script>document.title='owned';fetch('/owned')</script><img src=/owned onerror=\"document.title='owned'\">"
PAGES = {
    # Texts that must be visible, and texts that must not, because they are folded.
    "panic": ("/sum/5?token=hidden", ["range end index 5 out of range", "prices[..count].iter().sum()", "library calls"], ["slice_index_fail", "hidden"]),
    "error": ("/order", ["order 7 could not be read", "postgres://[redacted]@db/orders has no such row"], ["hunter2"]),
    "hostile": ("/echo/" + urllib.parse.quote(SCRIPT, safe=""), ["document.title='owned'"], []),
}


def chromium(*args):
    done = subprocess.run([*CHROMIUM, *args], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise SystemExit(f"chromium ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def requested(netlog, origin):
    """The URLs that a page of this origin requested."""
    text = netlog.read_text().rstrip()
    log = json.loads(text if text.endswith("}") else text.rstrip(",") + "]}")
    kind = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    jobs = [event.get("params", {}) for event in log["events"] if event["type"] == kind]
    assert any(job.get("url", "").startswith(origin) for job in jobs), "the log does not even have the page"
    return {job["url"] for job in jobs if job.get("initiator") == origin}


def check(base, name, folder):
    path, visible, hidden = PAGES[name]
    url = base + path
    netlog, pdf = folder / "net.json", folder / "page.pdf"
    dom = chromium(f"--log-net-log={netlog}", "--dump-dom", url)
    assert "<title>" in dom and "owned</title>" not in dom, f"{name}: a script has run"
    assert "<img" not in dom and "<script" not in dom, f"{name}: an element was made"
    others = {found for found in requested(netlog, base) if not found.endswith("/favicon.ico")}
    assert not others, f"{name}: the page asked for {others}"
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", url)
    text = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True).stdout
    flat = " ".join(text.split())
    for expected in visible:
        assert expected in flat, f"{name}: {expected!r} is not visible in\n{text}"
    for unexpected in hidden:
        assert unexpected not in flat, f"{name}: {unexpected!r} is visible in\n{text}"
    print(f"{name}: ok")


def main():
    server = subprocess.Popen([PROGRAM, "--bind", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        base = server.stdout.readline().removeprefix("listening on ").strip()
        with tempfile.TemporaryDirectory() as folder:
            for name in PAGES:
                check(base, name, pathlib.Path(folder))
        for pictures in sys.argv[1:]:
            for name in ["panic", "error"]:
                for theme, option in [("light", 1), ("dark", 0)]:
                    for width, size in [("wide", "1100,1250"), ("narrow", "400,1250")]:
                        picture = pathlib.Path(pictures) / f"error-page-{name}-{theme}-{width}.png"
                        chromium(
                            f"--blink-settings=preferredColorScheme={option}",
                            f"--window-size={size}", f"--screenshot={picture}", base + PAGES[name][0],
                        )
                        print(picture)
    finally:
        server.terminate()


main()
