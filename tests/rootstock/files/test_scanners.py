"""What passes, and what is refused with which words."""

import io
import tarfile
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootstock.files.names import safe_name
from rootstock.files.purposes import PURPOSES
from rootstock.files.scanners import SCANNERS, Refusal, archives, texts
from rootstock.files.scanning import scan
from tests.rootstock.files import hostile as h

MIB = 1024 * 1024


def scanned(name: str, content: bytes, purpose: str = "import"):
    return scan(io.BytesIO(content), name=name, purpose=purpose, size=len(content))


def reason(name: str, content: bytes, purpose: str = "import") -> str:
    return scanned(name, content, purpose).reason


@pytest.mark.parametrize(
    ("name", "purpose", "content", "kind"),
    [
        ("a.csv", "import", b"a;b\n1;2\n", "text/csv"),
        ("a.json", "import", b'{"a": [1, null]}', "application/json"),
        ("a.jsonl", "dataset", b'{"a": 1}\n\n[2]', "application/jsonl"),
        ("a.zip", "import", h.zipped({"a/b.txt": b"hi", "c.zip": h.zipped({"d": b"x"})}), "application/zip"),
        ("a.tgz", "import", h.tgz(("a/b", b"0", b"hi"), ("n" * 150, b"0", b"x" * 600)), "application/gzip"),
        ("a.csv.gz", "import", h.gzipped(b"a,b\n"), "application/gzip"),
        ("a.tar", "import", h.tarred(("d", b"5", b""), ("d/b", b"0", b"hi")), "application/x-tar"),
        ("a.pdf", "attachment", h.pdf(compressed=b"BT /F1 12 Tf (Hello) Tj ET"), "application/pdf"),
        ("a.png", "attachment", h.png(), "image/png"),
        ("a.jpg", "attachment", h.jpeg(), "image/jpeg"),
        ("a.gif", "attachment", h.gif(), "image/gif"),
        ("a.webp", "attachment", h.webp(), "image/webp"),
        ("a.docx", "attachment", h.office(), next(iter(k for k in SCANNERS if "wordproc" in k))),
        ("a.xlsx", "attachment", h.office("xl/workbook.xml"), next(iter(k for k in SCANNERS if "spreadsheet" in k))),
        ("a.txt", "attachment", "Grüße\n".encode(), "text/plain"),
        ("a.html", "knowledge", b"<!doctype html><p>Hi</p>", "text/html"),
        ("a.safetensors", "model", h.tensors(), "application/x-safetensors"),
    ],
)  # fmt: skip
def test_sound_files_pass(name, purpose, content, kind) -> None:
    report = scanned(name, content, purpose)
    assert report.reason == ""
    assert report.type == kind
    assert [check.passed for check in report.checks] == [True] * (1 + len(SCANNERS[kind])) + [None]


@pytest.mark.parametrize(
    ("name", "purpose", "content", "told"),
    [
        ("a.csv", "import", b"", "is empty"),
        ("a.pdf", "attachment", h.png(), "its name says application/pdf"),
        ("a.png", "attachment", b"<svg onload=x>", "its name says image/png"),
        ("a.txt", "attachment", b"MZ\x90\x00" + bytes(200), "not taken"),
        ("a.txt", "attachment", b"#!/bin/sh\nrm -rf /\n", "not taken"),
        ("a.bin", "import", b"\x7fELF" + bytes(200), "not taken"),
        ("a.jsonl", "attachment", b"{}", "not taken for this purpose"),
        ("a.csv", "import", b"a,b\n1\n", "row 2 has 1 cells"),
        ("a.csv", "import", b"a,b\n\xff,2\n", "is not UTF-8 at byte 4"),
        ("a.csv", "import", b"a,b\n" * 40_000 + b"\xff", "is not UTF-8 at byte 160000"),
        ("a.csv", "import", b"a,b\n" * 40_000 + b"\0", "U+0000"),
        ("a.json", "import", b"[" * 100_000, "nested deeper"),
        ("a.json", "import", b'{"a": "\\ud800"}', "surrogate"),
        ("a.json", "import", b'{"a": NaN}', "is not JSON"),
        ("a.jsonl", "dataset", b'{"a": 1}\n{"a": "\\u0000"}', "line 2 a: holds a NUL"),
        ("a.jsonl", "dataset", b'{"a": 1}\n{', "line 2 is not JSON"),
        ("a.html", "knowledge", b"<html><body onload = x>", "active content"),
        ("a.html", "knowledge", b"<!doctype html>" + b" " * 70_000 + b"<script>", "active content"),
        ("a.html", "knowledge", b"<html>" + b"a" * 65_525 + b"<script>", "active content"),
        ("a.pdf", "attachment", h.pdf(b"/AA 3 0 R"), "automatic"),
        ("a.pdf", "attachment", h.pdf(b"/#4aavaScript (x)"), "a script"),
        ("a.pdf", "attachment", h.pdf(compressed=b"<</S/JavaScript/JS(app.alert(1))>>"), "a script"),
        ("a.pdf", "attachment", h.pdf(compressed=b"/Launch " * 9), "starts a program"),
        ("a.pdf", "attachment", h.pdf(b"/Encrypt 4 0 R"), "encrypted"),
        ("a.pdf", "attachment", h.pdf(compressed=bytes(33 * MIB)), "unpacks to more"),
        ("a.pdf", "attachment", h.pdf() + h.zipped({"a": b"x"}), "two formats"),
        ("a.png", "attachment", h.png(40_000, 40_000), "megapixels"),
        ("a.png", "attachment", h.png(after=b"<?php system($_GET[0]) ?>"), "follows after"),
        ("a.png", "attachment", h.png()[:-6], "ends in the middle"),
        ("a.jpg", "attachment", h.jpeg(60_000, 60_000), "megapixels"),
        ("a.jpg", "attachment", b"\xff\xd8\xff\xda\x00\x04ab", "well-formed"),
        ("a.gif", "attachment", h.gif()[:-1] + bytes(40), "ends in the middle"),
        ("a.webp", "attachment", h.webp() + b"x" * 100, "longer or shorter"),
        ("a.docx", "attachment", h.office(word__vbaProject_dot_bin=b"x"), "macro"),
        ("a.docx", "attachment", h.office(word__embeddings__a_dot_bin=b"x"), "embedded object"),
        ("a.docx", "attachment", h.office(word___rels__settings_dot_xml_dot_rels=h.TEMPLATE), "from elsewhere"),
        ("a.docx", "attachment", h.office(word__b_dot_xml=h.DDE), "starts a program"),
        ("a.doc", "attachment", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "not taken"),
        ("a.zip", "import", h.zipped({"../evil": b"x"}), "outside of its folder"),
        ("a.zip", "import", h.zipped({"a/..\\..\\evil": b"x"}), "outside of its folder"),
        ("a.zip", "import", h.zipped({"C:/evil": b"x"}), "outside of its folder"),
        ("a.zip", "import", h.zipped({"/etc/cron.d/x": b"x"}), "outside of its folder"),
        ("a.zip", "import", h.zip_link(), "a link or a device"),
        ("a.zip", "import", h.zipped({"a": bytes(8 * MIB)}), "times its size"),
        ("a.zip", "import", h.zip_that_lies(), ""),
        ("a.zip", "import", h.zip_overlapping(), "overlap"),
        ("a.zip", "import", h.zipped({str(n): b"" for n in range(10_001)}, zipfile.ZIP_STORED), "more than 10,000"),
        ("a.zip", "import", h.nested(3), "nests archives"),
        ("a.zip", "import", h.zipped({"a.7z": b"7z\xbc\xaf\x27\x1c" + bytes(30)}), "cannot be looked into"),
        ("a.zip", "import", h.zipped({"a": b"x"})[:-30], "not a ZIP archive"),
        ("a.tar", "import", h.tarred(("a", tarfile.SYMTYPE, b"")), "a link or a device"),
        ("a.tar", "import", h.tarred(("a", tarfile.LNKTYPE, b"")), "a link or a device"),
        ("a.tar", "import", h.tarred(("../../a", b"0", b"x")), "outside of its folder"),
        ("a.tar", "import", h.tarred(("a", b"0", b"x" * 5000))[:2000], "ends in the middle"),
        ("a.tar", "import", h.tarred(("n" * 70_000, b"0", b"x")), "too long"),
        ("a.gz", "import", h.gzipped(bytes(8 * MIB)), "times its size"),
        ("a.gz", "import", h.gzipped(b"hello" * 100)[:-20], "ends in the middle"),
        ("a.zip", "import", h.zipped({"a.tgz": h.tgz(("/x", b"0", b"x"))}), "outside of its"),
        ("a.safetensors", "model", h.tensors(data=bytes(17)), "longer or shorter"),
        ("a.safetensors", "model", h.tensors(h.tensor("F32", 2)), "do not fit"),
        ("a.safetensors", "model", h.tensors(h.tensor("F99", 2)), "not described"),
        ("a.safetensors", "model", (1 << 33).to_bytes(8, "little") + b'{"' + bytes(50), "8,589,934,592 bytes"),
        ("a.safetensors", "model", (1 << 33).to_bytes(8, "little") + b"{{" + bytes(50), "8,589,934,592 bytes"),
        ("a.safetensors", "model", b"\x80\x04\x95" + bytes(90), "its name says application/x-safetensors"),
        ("a.zip", "import", h.zipped({"big.bin": bytes(8 * MIB)}), "times its size ('big.bin')"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)  # fmt: skip
def test_hostile_files_are_refused_in_words(name, purpose, content, told) -> None:
    report = scanned(name, content, purpose)
    assert report.reason
    assert told in report.reason
    assert report.checks[-1].passed is False


def test_every_type_that_is_taken_has_its_checks() -> None:
    assert set().union(*(purpose.types for purpose in PURPOSES.values())) <= set(SCANNERS)


names = st.lists(
    st.sampled_from(["..", ".", "", "a", "etc", "C:", "~", "\\", "..\\", "a\nb", "ü", "n" * 40]),
    min_size=1,
    max_size=5,
).map("/".join)


@given(name=names)
def test_a_name_that_passes_stays_within_its_folder(name) -> None:
    import os.path

    try:
        archives.name_checked(name)
    except Refusal:
        return
    for written in (name, name.replace("\\", "/")):
        landed = os.path.normpath(os.path.join("/folder", written))
        assert landed == "/folder" or landed.startswith("/folder/")


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(
    entries=st.dictionaries(names, st.binary(max_size=200), max_size=4),
    cut=st.integers(0, 40),
    at=st.integers(0, 400),
    byte=st.integers(0, 255),
    form=st.sampled_from(["zip", "tar", "tgz"]),
)
def test_a_damaged_archive_passes_or_is_refused_and_never_breaks_the_scanner(
    entries, cut, at, byte, form
) -> None:
    if form == "zip":
        content = h.zipped({name: body for name, body in entries.items() if name})
    else:
        content = h.tarred(*((name, b"0", body) for name, body in entries.items() if name))
    content = h.gzipped(content) if form == "tgz" else content
    damaged = bytearray(content[: len(content) - cut])
    if damaged:
        damaged[at % len(damaged)] = byte
    report = scanned(f"a.{form}", bytes(damaged))
    assert bool(report.reason) != report.is_clean


@given(content=st.binary(max_size=300), kind=st.sampled_from(sorted(SCANNERS)))
def test_any_bytes_pass_or_are_refused_by_any_check(content, kind) -> None:
    for _, check in SCANNERS[kind]:
        try:
            assert isinstance(check(io.BytesIO(content)), str)
        except Refusal as refusal:
            assert str(refusal)  # noqa: PT017
            return


@given(text=st.text(max_size=200), size=st.integers(1, 7))
def test_text_is_read_the_same_in_whatever_pieces_it_comes(text, size) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    whole = reason("a.txt", raw or b"x", "attachment")
    before, texts.chunks = texts.chunks, lambda stream: (raw[i : i + size] for i in range(0, len(raw), size))
    try:
        texts.check_text(io.BytesIO(raw))
    except Refusal as refusal:
        assert whole, refusal  # noqa: PT017
    finally:
        texts.chunks = before


@given(name=st.text(max_size=300))
def test_any_name_becomes_a_name(name) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= 200
    assert not set(safe) & set('/\\\0\n\u202e"')
    assert safe not in (".", "..")
    assert safe_name(safe) == safe
