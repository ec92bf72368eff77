"""As much of S3 as storing a file needs: PUT, GET, HEAD and DELETE of objects under a bucket's path."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

objects: dict[str, bytes] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        """Silence."""

    def answer(self, status: int, body: bytes = b"", length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Mon, 02 Mar 2026 08:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def _key(self) -> str:
        return self.path.partition("?")[0]

    def do_PUT(self) -> None:
        if "chunked" in self.headers.get("Content-Encoding", "") + self.headers.get("Transfer-Encoding", ""):
            body = self._chunks()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        objects[self._key()] = body
        self.answer(403 if "/forbidden/" in self.path else 200)

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return found

    def do_GET(self) -> None:
        found = objects.get(self._key())
        self.answer(404) if found is None else self.answer(200, found)

    def do_HEAD(self) -> None:
        found = objects.get(self._key())
        self.answer(404) if found is None else self.answer(200, length=len(found))

    def do_DELETE(self) -> None:
        if "/forbidden/" in self.path:
            self.answer(403)
            return
        objects.pop(self._key(), None)
        self.answer(204)


with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
