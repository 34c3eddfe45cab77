"""DokuWiki of Debian behind php-fpm, tower-gateway and tower-static, in headless Chromium: the install
page, a login, an edited page and an uploaded picture.

Run by `just wiki`, which builds tower-deploy first. With a directory as an argument it leaves a picture
of the result there. It needs Debian's dokuwiki, php8.2-fpm, php8.2-xml, php8.2-gd and chromium, and
playwright of PyPI.
"""

import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

from playwright.sync_api import sync_playwright

import run

PASSWORD = "correct horse"


def png(side=64):
    """Returns a picture: a red square."""
    rows = b"".join(b"\0" + b"\xd0\x20\x20" * side for _ in range(side))

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wiki(folder):
    """Copies Debian's files into one directory, as upstream's archive has them, without a configuration."""
    root = folder.path / "wiki"
    shutil.copytree("/usr/share/dokuwiki", root, symlinks=False, ignore_dangling_symlinks=True)
    shutil.copytree("/etc/dokuwiki", root / "conf", ignore_dangling_symlinks=True)
    shutil.copytree("/var/lib/dokuwiki/data", root / "data", dirs_exist_ok=True)
    (root / "inc" / "preload.php").unlink()
    for name in ["local.php", "users.auth.php", "acl.auth.php", "plugins.local.php"]:
        (root / "conf" / name).unlink(missing_ok=True)
    subprocess.run(["chown", "-R", "www-data:www-data", root], check=True)
    return root


def serve(folder, root):
    fpm = run.php_fpm(folder)
    port = run.free_port()
    folder.write("wiki.ini", f"""[composite:main]
use = egg:tower#urlmap
/hello = hello
/wiki = wiki

[app:hello]
use = egg:tower#text
text = from Rust

[composite:wiki]
use = egg:tower#cascade
app1 = php
app2 = files

[app:php]
use = egg:tower#fastcgi
address = unix:{fpm}
document_root = {root}

[app:files]
use = egg:tower#static
document_root = {root}

[server:main]
use = egg:tower#http
port = {port}
""")
    folder.start(run.DEPLOY, "serve", folder.path / "wiki.ini", log="wiki.log")
    run.wait_for(port)
    return f"http://127.0.0.1:{port}/wiki"


def visit(base, pictures):
    picture = pathlib.Path(tempfile.mkdtemp()) / "square.png"
    picture.write_bytes(png())
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 700})
        failed = []
        page.on("response", lambda response: failed.append((response.status, response.url))
                if response.status >= 400 else None)

        page.goto(f"{base}/install.php")
        page.fill("input[name='d[title]']", "A wiki beside Rust")
        page.fill("input[name='d[superuser]']", "ada")
        page.fill("input[name='d[fullname]']", "Ada")
        page.fill("input[name='d[email]']", "ada@example.org")
        page.fill("input[name='d[password]']", PASSWORD)
        page.fill("input[name='d[confirm]']", PASSWORD)
        page.click("[name='submit']")
        page.wait_for_load_state()
        assert "success" in page.content().lower(), page.inner_text("body")[:1000]

        page.goto(f"{base}/doku.php?id=start&do=login")
        page.fill("input[name='u']", "ada")
        page.fill("input[name='p']", PASSWORD)
        page.click("#dw__login button[type='submit']")
        page.wait_for_load_state()
        assert page.locator("a.logout, li.logout a, .action.logout").count(), page.inner_text("body")[:1000]

        page.goto(f"{base}/doku.php?id=start&do=media&ns=&tab_files=upload")
        page.set_input_files("input[type='file']", picture)
        page.click("#mediamanager__upload_button")
        page.wait_for_timeout(1500)

        page.goto(f"{base}/doku.php?id=start&do=edit")
        page.fill("textarea[name='wikitext']", "====== Hello ======\n\nAn edited page, with a picture: {{:square.png}}\n")
        page.click("button[name='do[save]']")
        page.wait_for_load_state()
        assert "An edited page" in page.inner_text("body"), page.inner_text("body")[:1000]
        width = page.evaluate("document.querySelector(\"img[src*='square.png']\").naturalWidth")
        assert width == 64, width
        styled = page.evaluate("getComputedStyle(document.querySelector('#dokuwiki__header')).display")
        assert styled, "no style sheet"
        assert not failed, failed
        if pictures:
            page.screenshot(path=pathlib.Path(pictures) / "dokuwiki.png")
        browser.close()


def main():
    with tempfile.TemporaryDirectory() as path:
        folder = run.Folder(path)
        try:
            base = serve(folder, wiki(folder))
            visit(base, sys.argv[1] if sys.argv[1:] else None)
            print("ok: installed, logged in, a picture uploaded, a page edited")
        except BaseException:
            print(folder.log("wiki")[-3000:])
            raise
        finally:
            folder.end()


if __name__ == "__main__":
    main()
