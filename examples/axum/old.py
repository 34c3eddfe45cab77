"""A server on the Unix socket in its argument, which shows each request."""

import http.server
import socketserver
import sys


class Shown(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        client = self.headers.get("X-Forwarded-For", "")
        shown = f"{self.command} {self.path} of {client}, at {sys.argv[1]}\n".encode() + content
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(shown)))
        self.end_headers()
        self.wfile.write(shown)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


Server(sys.argv[1], Shown).serve_forever()
