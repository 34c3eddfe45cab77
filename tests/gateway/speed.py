"""Requests per second through tower-deploy and through nginx, by turns, to the same FastCGI programs:
a constant responder on libfcgi, and php-fpm. Apache's mod_proxy_fcgi is printed beside them.

Run by `just gateway-load`, which builds tower-deploy first. Each server has one worker on the first
core, and the client and the programs are on the second one. Connections to the programs are kept.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import run

TURNS = int(os.environ.get("TURNS", "7"))
SECONDS = int(os.environ.get("SECONDS_EACH", "2"))
LEAST = 0.9

# Each process serves one connection at a time, and each server keeps some.
RESPONDER = r"""
#include <fcgi_stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void) {
    for (int i = 1; i < 48; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            break;
        }
    char text[1025];
    memset(text, '0', 1024);
    text[1024] = 0;
    while (FCGI_Accept() >= 0) {
        fputs("Content-Type: text/plain\r\n\r\n", stdout);
        fputs(text, stdout);
    }
    return 0;
}
"""

NGINX = """
worker_processes 1;
daemon off;
pid {path}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    {temporary}
    upstream constant {{ server unix:{path}/constant.sock; keepalive 16; }}
    upstream php {{ server unix:{path}/fpm.sock; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        fastcgi_keep_conn on;
        location /constant {{ include /etc/nginx/fastcgi_params; fastcgi_pass constant; }}
        location ~ \\.php$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {path}/www$fastcgi_script_name;
            fastcgi_pass php;
        }}
    }}
}}
"""

APACHE = """
ServerRoot {path}
PidFile {path}/apache.pid
Listen 127.0.0.1:{port}
ServerName localhost
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_fcgi_module /usr/lib/apache2/modules/mod_proxy_fcgi.so
ErrorLog {path}/apache.log
MaxKeepAliveRequests 0
<Proxy "unix:{path}/constant.sock|fcgi://constant/" enablereuse=on max=16>
</Proxy>
<Proxy "unix:{path}/fpm.sock|fcgi://php/" enablereuse=on max=8>
</Proxy>
ProxyPass /constant "unix:{path}/constant.sock|fcgi://constant/"
ProxyPassMatch "^/(.*\\.php)$" "unix:{path}/fpm.sock|fcgi://php{path}/www/$1"
"""


def pinned(core, *args):
    return ["taskset", "-c", str(core), *args]


def seconds(process):
    """Returns the CPU time of a process and its children, in seconds."""
    found, left = 0, [process.pid]
    while left:
        pid = left.pop()
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += int((task / "schedstat").read_text().split()[0])
            left += map(int, (task / "children").read_text().split())
    return found / 1e9


def wrk(server, url):
    """Returns the rate. Apache fails some requests on connections that it keeps, so only others may not."""
    out = run.run(*pinned(1, "wrk", "-t1", "-c8", f"-d{SECONDS}s", url)).decode()
    assert server == "apache" or ("Socket errors" not in out and "Non-2xx" not in out), (server, out)
    assert " 0 requests" not in out, (server, out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def start(folder):
    """Starts the programs and the servers, and returns the servers by name, with their ports."""
    path = folder.path
    source = folder.write("constant.c", RESPONDER)
    run.run("cc", "-O2", "-o", path / "constant", source, "-lfcgi")
    folder.start(*pinned(1, "spawn-fcgi", "-n", "-s", path / "constant.sock", "-M", "0666", "--", path / "constant"))
    run.wait_for(path / "constant.sock")
    run.php_fpm(folder, children=32, before=pinned(1))
    folder.write("www/one.php", "<?php echo str_repeat('0', 1024);")

    port = run.free_port()
    names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    temporary = " ".join(f"{name}_temp_path {path}/{name};" for name in names)
    file = folder.write("nginx.conf", NGINX.format(path=path, port=port, temporary=temporary))
    nginx = folder.start(*pinned(0, "nginx", "-p", path, "-c", file), log="nginx.log")
    run.wait_for(port)
    servers = {"nginx": (nginx, port)}

    port = run.free_port()
    file = folder.write("apache.conf", APACHE.format(path=path, port=port))
    apache = folder.start(*pinned(0, "apache2", "-X", "-f", file, "-DFOREGROUND"), log="apache.log")
    run.wait_for(port)
    servers["apache"] = (apache, port)

    port = run.free_port()
    file = folder.write("speed.ini", f"""[composite:main]
use = egg:tower#urlmap
/constant = constant
/ = php
[app:constant]
use = egg:tower#fastcgi
address = unix:{path}/constant.sock
keep_connections = 16
connections = 16
[app:php]
use = egg:tower#fastcgi
address = unix:{path}/fpm.sock
document_root = {path}/www
keep_connections = 8
connections = 8
[server:main]
use = egg:tower#http
port = {port}
""")
    ours = folder.start(*pinned(0, run.DEPLOY, "serve", file), log="speed.log", env={**os.environ, "RUST_LOG": "warn"})
    run.wait_for(port)
    servers["ours"] = (ours, port)
    return servers


def main():
    os.environ["PATH"] += ":/usr/sbin"
    failed = False
    with tempfile.TemporaryDirectory() as path:
        folder = run.Folder(path)
        try:
            servers = start(folder)
            for name, target in [("constant", "/constant"), ("php-fpm", "/one.php")]:
                rates = {server: [] for server in servers}
                costs = {server: [] for server in servers}
                for _ in range(TURNS):
                    for server, (process, port) in servers.items():
                        before = seconds(process)
                        rate = wrk(server, f"http://127.0.0.1:{port}{target}")
                        rates[server].append(rate)
                        costs[server].append((seconds(process) - before) / (rate * SECONDS))
                for server in servers:
                    ratios = sorted(ours / nginx for ours, nginx in zip(rates[server], rates["nginx"]))
                    work = statistics.median(nginx / ours for ours, nginx in zip(costs[server], costs["nginx"]))
                    median = statistics.median(ratios)
                    print(f"{name:9} {server:7} {statistics.median(rates[server]):9.0f}/s  {median:.2f} of nginx "
                          f"({ratios[0]:.2f} to {ratios[-1]:.2f}), per CPU second {work:.2f}", flush=True)
                    failed |= server == "ours" and median < LEAST
        finally:
            folder.end()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
