"""A client of tus 1.0 beside Django's own."""

from base64 import b64encode

from django.test import Client

CSV = b"name,amount\nkestrel,3\n" * 40
AT = "/api/v1/files/uploads"


class Tus:
    """A client of the protocol."""

    def __init__(self, token: str) -> None:
        self.client = Client(headers={"authorization": f"Bearer {token}"}, raise_request_exception=False)

    def ask(self, method: str, path: str, body: bytes = b"", type: str = "", extra=None, **headers: object):
        named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        named = {name: value for name, value in ({"Tus-Resumable": "1.0.0"} | named).items() if value}
        whole = {"CONTENT_TYPE": type, "CONTENT_LENGTH": str(len(body))} | (extra or {})
        return self.client.generic(method, path, body, content_type=type, headers=named, **whole)

    def create(self, length: int = len(CSV), purpose: str = "import", name: str = "a.csv", **headers: object):
        told = f"purpose {b64encode(purpose.encode()).decode()},filename {b64encode(name.encode()).decode()}"
        return self.ask("POST", AT, **{"Upload_Length": length, "Upload_Metadata": told} | headers)

    def begin(self, *args: object, **headers: object) -> str:
        answer = self.create(*args, **headers)
        assert answer.status_code == 201, answer.content
        return answer["Location"]

    def piece(self, at: str, offset: int, body: bytes, **headers: object):
        given = {"Upload_Offset": offset, "type": "application/offset+octet-stream"} | headers
        return self.ask("PATCH", at, body, **given)

    def offset(self, at: str) -> int:
        return int(self.ask("HEAD", at)["Upload-Offset"])
