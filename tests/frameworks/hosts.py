"""What applications without any setting do with each `host` of the proxy, as the table of docs/python.md has it; and a server
with two sites."""

import pathlib
import re
import signal
import subprocess
import tempfile

from site_of import ROOT, Application, Site, free_port, wait_for

PAGE = ROOT / "docs" / "python.md"
COMMANDS = {
    "Flask": "gunicorn --bind 127.0.0.1:8081 app:app",
    "Django": "gunicorn --bind 127.0.0.1:8081 project.wsgi",
    "Pyramid": "gunicorn --bind 127.0.0.1:8081 app:app",
    "FastAPI": "uvicorn --port 8081 app:app",
    "Starlette": "uvicorn --port 8081 app:app",
    "Express": "node app.js",
    "PHP": "php -S 127.0.0.1:8081 index.php",
}
SITE = """
[pipeline:main]
pipeline = origin app

[filter:origin]
use = egg:tower#origin
https = yes
{hosts}

[app:app]
use = egg:tower#proxy
address = http://127.0.0.1:{port}
{host}
"""
NGINX = """
daemon off; pid {directory}/pid; error_log stderr crit; events {{}}
http {{
    access_log off;
    server {{ listen 127.0.0.1:{port} default_server; return 200 "the first site"; }}
    server {{ listen 127.0.0.1:{port}; server_name internal.example; return 200 "the second site"; }}
}}
"""
EXPRESS = {"app.js": "app.use('/', router);\n"}


def row(application, seen, port):
    def shown(url):
        # Without a setting, some do not know that the client's scheme is https.
        url = re.sub("^https?:", "", str(url).replace(str(port), "8081"))
        return "right" if url.startswith("//site.example/") else f"`{url}`" if "/" in url else url

    return f"| {application} | {shown(seen['link'])} | {shown(seen['dir'])} | {shown(seen['form'])} |"


def frameworks():
    page, wrong = PAGE.read_text().splitlines(), []
    for name, command in COMMANDS.items():
        application = Application(name.lower(), EXPRESS if name == "Express" else {}, command)
        try:
            for host in ["host = upstream", "host = client", ""]:
                site = Site(SITE.format(port=application.port, host=host, hosts=""))
                try:
                    found = row(name, site.seen(""), application.port)
                finally:
                    site.end()
                print(found, host, flush=True)
                if host == "host = upstream" and found not in page or host != "host = upstream" and found.count("right") != 3:
                    wrong.append((found, host))
        finally:
            application.end()
    assert not wrong, f"not as in {PAGE.name}: {wrong}"


def two_sites():
    """A client chooses among the sites of a server by `Host`, unless there is a list of hosts."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        file = pathlib.Path(directory) / "conf"
        file.write_text(NGINX.format(directory=directory, port=port))
        nginx = subprocess.Popen(["nginx", "-p", directory, "-e", "stderr", "-c", file])
        try:
            assert wait_for(port, nginx)
            for host, hosts, expected in [
                ("upstream", "", (200, "the first site")),
                ("client", "", (200, "the second site")),
                ("client", "hosts = site.example", (400, None)),
            ]:
                site = Site(SITE.format(port=port, host=f"host = {host}", hosts=hosts))
                try:
                    response, body = site.ask("GET", "/", host="internal.example")
                    assert response.status == expected[0] and expected[1] in (None, body), (host, hosts, response.status, body)
                    response, body = site.ask("GET", "/")
                    assert (response.status, body) == (200, "the first site"), (host, hosts, response.status, body)
                finally:
                    site.end()
        finally:
            nginx.send_signal(signal.SIGTERM)
            nginx.wait()
    print("two sites on one server: `client` lets a client choose, `upstream` does not, and a list of hosts does not")


def check():
    frameworks()
    two_sites()
