"""Another system that takes webhooks: a process of its own, which checks signatures and misbehaves as asked.

The path says how: /ok, /status/500, /redirect, /hang, /drip, /endless, /echo, /times/2 (fails twice, then takes it).
What came is read at GET /log. Started with the secret, and with a certificate's path for HTTPS.
"""

import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

secret = sys.argv[1]
log: list[dict] = []
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        """Silence."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer(200, json.dumps(log).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            Webhook(secret).verify(body, headers)
            verified = True
        except WebhookVerificationError:
            verified = False
        with lock:
            before = sum(entry["id"] == headers["webhook-id"] for entry in log)
            log.append(
                {"id": headers["webhook-id"], "path": self.path, "verified": verified, "host": headers["host"],
                 "body": json.loads(body), "signatures": len(headers["webhook-signature"].split(" "))}
            )  # fmt: skip
        what, _, how = self.path.strip("/").partition("/")
        getattr(self, f"do_{what}")(how, body, before)

    def do_ok(self, how: str, body: bytes, before: int) -> None:
        self.answer(200, b"thanks")

    def do_status(self, how: str, body: bytes, before: int) -> None:
        self.answer(int(how), b"no", Retry_After="120")

    def do_times(self, how: str, body: bytes, before: int) -> None:
        self.answer(503 if before < int(how) else 204)

    def do_redirect(self, how: str, body: bytes, before: int) -> None:
        self.answer(302, Location="/ok")

    def do_echo(self, how: str, body: bytes, before: int) -> None:
        self.answer(200, f"{self.headers}\0secret={secret}".encode())

    def do_hang(self, how: str, body: bytes, before: int) -> None:
        time.sleep(180)

    def do_drip(self, how: str, body: bytes, before: int) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(300):
            self.wfile.write(b"a")
            self.wfile.flush()
            time.sleep(0.1)

    def do_endless(self, how: str, body: bytes, before: int) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            self.wfile.write(b"x" * 65536)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address) -> None:
        """A sender that hangs up is no error here."""


server = Server(("127.0.0.1", int(sys.argv[2])), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
