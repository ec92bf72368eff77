"""Uploads that must be refused, made from a good adapter's folder; each with what its refusal has to say."""

from __future__ import annotations

import io
import json
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
FIRST = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"

Change = Callable[[Path], None]
Pack = Callable[[Path, Path], None]  # (an adapter's folder, the zip to write)


def packed(folder: Path, archive: Path, top: str = "") -> None:
    """An honest zip of the folder."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(folder.iterdir()):
            out.write(path, f"{top}{path.name}")


def _with(name: str, content: bytes, mode: int = 0o644, **info: Any) -> Pack:
    """A zip of the folder with one entry more."""

    def pack(folder: Path, archive: Path) -> None:
        packed(folder, archive)
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        for field, value in info.items():
            setattr(entry, field, value)
        with zipfile.ZipFile(archive, "a") as out:
            out.writestr(entry, content)

    return pack


def _bomb(folder: Path, archive: Path) -> None:
    """Weights of 640 MB in 3 MB."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.write(folder / CONFIG, CONFIG)
        with out.open(WEIGHTS, "w") as weights:
            zeros = bytes(16 << 20)
            for _ in range(40):
                weights.write(zeros)


def _liar(folder: Path, archive: Path) -> None:
    """The archive says that its configuration is short; what unpacks is 8 MB."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as out:
        out.write(folder / WEIGHTS, WEIGHTS)
        out.writestr(CONFIG, b" " * (8 << 20))
    raw = bytearray(whole.getvalue())
    at = raw.rfind(b"PK\x01\x02")  # the directory's last entry
    raw[at + 24 : at + 28] = struct.pack("<I", 100)
    archive.write_bytes(bytes(raw))


def _many(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as out:
        for number in range(5_000):
            out.writestr(f"{number}.json", "")


def _config(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / CONFIG
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def _tensor(value: torch.Tensor | None, name: str = FIRST) -> Change:
    def change(folder: Path) -> None:
        tensors = {**load_file(folder / WEIGHTS), name: value}
        save_file({key: tensor for key, tensor in tensors.items() if tensor is not None}, folder / WEIGHTS)

    return change


def _raw(edit: Callable[[bytes], bytes]) -> Change:
    def change(folder: Path) -> None:
        path = folder / WEIGHTS
        path.write_bytes(edit(path.read_bytes()))

    return change


def _header(edit: Callable[[dict[str, Any]], str]) -> Change:
    """The same data under another header."""

    def change(raw: bytes) -> bytes:
        length = int.from_bytes(raw[:8], "little")
        text = edit(json.loads(raw[8 : 8 + length])).encode()
        return struct.pack("<Q", len(text)) + text + raw[8 + length :]

    return _raw(change)


def _overlapping(header: dict[str, Any]) -> str:
    first, second, *_ = sorted(set(header) - {"__metadata__"}, key=lambda n: header[n]["data_offsets"])
    width = header[second]["data_offsets"][1] - header[second]["data_offsets"][0]
    start = header[first]["data_offsets"][0]
    header[second]["data_offsets"] = [start, start + width]
    return json.dumps(header)


def _twice(header: dict[str, Any]) -> str:
    name = min(set(header) - {"__metadata__"})
    return f"{{{json.dumps(name)}: {json.dumps(header[name])}, {json.dumps(header)[1:]}"


def _other_base(folder: Path) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_fingerprint": "0" * 64}))


def _card(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        path = folder / "card.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def _one_more(name: str) -> Change:
    """A tensor of this name, of no bytes, beside the others."""
    return _header(lambda header: json.dumps({**header, name: ONE | {"shape": [0]}}))


def _classifier(**said: Any) -> Change:
    """Its card, of a head that is only looked at later."""
    return _card(**{"task": "classification", "labels": ["a", "b"]} | said)


def _start(before: bytes) -> Change:
    """The same header behind something else."""

    def change(raw: bytes) -> bytes:
        length = int.from_bytes(raw[:8], "little")
        return struct.pack("<Q", length + len(before)) + before + raw[8:]

    return _raw(change)


def _twice_in(name: str) -> Change:
    """A field of the JSON twice, the first one hostile."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(f'{{"r": 4096, "name": "y", {path.read_text().lstrip()[1:]}')

    return change


def _many_names(header: dict[str, Any]) -> str:
    """2 MB of names, the last of them twice."""
    names = [f'"a{n:05x}":0' for n in range(170_000)]
    return "{" + ",".join([*names, '"a297ff":0']) + "}"


def _no_delta(folder: Path) -> None:
    path = folder / WEIGHTS
    save_file({name: t * 0 if "lora_B" in name else t for name, t in load_file(path).items()}, path)


def _pickled(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps({"weights": list(range(1000))}))


ONE = {"dtype": "F32", "shape": [], "data_offsets": [0, 0]}
HUGE = {f"t{number}": ONE for number in range(100_000)}

# what: (how it is packed, words of the refusal)
ARCHIVES: dict[str, tuple[Pack, str]] = {
    "zip slip": (_with("../evil.json", b"{}"), "'../evil.json': expected a path within the archive"),
    "absolute path": (_with("/etc/passwd", b"x"), "'/etc/passwd': expected a path within the archive"),
    "drive": (_with("C:evil.json", b"x"), "expected a path within the archive"),
    "symlink": (
        _with("card.json", b"/etc/passwd", stat.S_IFLNK | 0o777),
        "'card.json': expected a plain file, found a link or a device",
    ),
    "device": (_with("head.safetensors", b"", stat.S_IFCHR | 0o666), "expected a plain file"),
    "pickle": (_with("adapter_model.bin", b"x"), "'adapter_model.bin': pickled weights are not taken"),
    "code": (_with("modeling.py", b"x"), "'modeling.py': unexpected file"),
    "name twice": (_with(CONFIG, b"{}"), f"'{CONFIG}': the archive holds it twice"),
    "deep": (_with("a/b/c.json", b"{}"), "'a/b/c.json': expected at the top of the archive or in one folder"),
    "two folders": (_with("other/README.md", b""), "files lie in 2 folders"),
    "bomb": (_bomb, f"{WEIGHTS}: 671088640 bytes, expected at most 536870912"),
    "false size": (_liar, "not a readable zip archive"),
    "many entries": (_many, "too many entries, expected at most 64"),
}
# what: (what is changed, the check that refuses, words of the refusal)
FOLDERS: dict[str, tuple[Change, str, str]] = {
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "files", f"{WEIGHTS}: file is missing"),
    "renamed pickle": (_pickled, "tensors", f"{WEIGHTS}: not a safetensors file"),
    "header of 100 MB": (
        _raw(lambda raw: struct.pack("<Q", 100_000_000) + b"{" * 100_000_000),
        "tensors",
        "its header is 100000000 bytes, expected at most 2000000",
    ),
    "100,000 tensors": (
        _raw(lambda raw: (text := json.dumps(HUGE).encode()) and struct.pack("<Q", len(text)) + text),
        "tensors",
        "expected at most 2000000",
    ),
    "10,000 tensors": (
        _raw(
            lambda raw: (
                (text := json.dumps({f"t{n}": ONE for n in range(10_000)}).encode())
                and struct.pack("<Q", len(text)) + text
            )
        ),
        "tensors",
        "10000 tensors, expected at most 8192",
    ),
    "overlapping offsets": (_header(_overlapping), "tensors", "overlaps the one before it"),
    "tensor named twice": (_header(_twice), "tensors", "is named twice in the header"),
    "170,000 names": (_header(_many_names), "tensors", "'a297ff' is named twice in the header"),
    "truncated": (_raw(lambda raw: raw[:-100]), "tensors", "cut short"),
    "bytes behind": (_raw(lambda raw: raw + bytes(8)), "tensors", "longer than its tensors"),
    "rank 4096": (_config(r=4096), "configuration", "r is 4096, expected an integer from 1 to 64"),
    "regex targets": (
        _config(target_modules=".*proj"),
        "configuration",
        "target_modules is '.*proj', expected a list of names",
    ),
    "modules to save": (
        _config(modules_to_save=["lm_head"]),
        "configuration",
        "modules_to_save is ['lm_head'], expected it unset",
    ),
    "auto mapping": (
        _config(auto_mapping={"base_model_class": "os.system"}),
        "configuration",
        "auto_mapping is",
    ),
    "scaled by a number": (
        _config(use_rslora=1),
        "configuration",
        "use_rslora is 1, expected true or false",
    ),
    "NUL in a field": (
        _config(**{"ev\0il": 1}),
        "configuration",
        "'ev\\x00il' holds a NUL character or half",
    ),
    "NUL in a card": (_card(description="a\0"), "configuration", "description holds a NUL character or half"),
    "surrogate in a card": (
        _card(data={"x": ["\ud800"]}),
        "configuration",
        "data.x holds a NUL character or half",
    ),
    "NaN in a card": (_card(data={"x": float("nan")}), "configuration", "data.x is nan, expected a finite"),
    "infinity in a card": (
        _card(training={"x": [1e999]}),
        "configuration",
        "training.x is inf, expected a finite",
    ),
    "long description": (
        _card(description="D" * 100_000),
        "configuration",
        "description is 100000 characters long, expected at most 2000",
    ),
    "large card": (_card(description="D" * 900_000), "files", "card.json: 900"),
    "unknown field": (_card(**{"zz" * 100_000: 1}), "configuration", "unknown field 'zzzz"),
    "labels of a chat": (_card(labels=["l" * 100] * 1000), "configuration", "labels is ['llll"),
    "label twice": (
        _classifier(labels=["a", "a"]),
        "configuration",
        "labels[1] is 'a', expected another name",
    ),
    "label of nothing": (_classifier(labels=["", "b"]), "configuration", "labels[0] is '', expected 1 to 80"),
    "label that turns": (
        _classifier(labels=["a", "b\u202e"]),
        "configuration",
        "labels[1] is 'b\\u202e', exp",
    ),
    "threshold of no label": (
        _classifier(thresholds={"c": 0.5}),
        "configuration",
        "thresholds is 'c', expected names",
    ),
    "threshold": (
        _classifier(thresholds={"a": -5}),
        "configuration",
        "thresholds.a is -5.0, expected 0 to 1",
    ),
    "windows in steps of one": (
        _classifier(max_tokens=64, overlap_tokens=63),
        "configuration",
        "overlap_tokens is 63, expected at most 48",
    ),
    "windows of one": (
        _classifier(max_tokens=1, overlap_tokens=0),
        "configuration",
        "max_tokens is 1, expected at least 16",
    ),
    "chat both ways": (
        _card(bidirectional=True),
        "configuration",
        "bidirectional is True, expected false for",
    ),
    "chat of several": (_card(multi_label=True), "configuration", "multi_label is True, expected false but"),
    "field twice": (_twice_in(CONFIG), "configuration", f"{CONFIG}: r stands there twice, expected once"),
    "card's field twice": (_twice_in("card.json"), "configuration", "card.json: name stands there twice"),
    "blanks before the header": (_start(b"  "), "tensors", "its header begins with b' ', expected b'{'"),
    "metadata": (
        _header(lambda header: json.dumps({**header, "__metadata__": {"a": 5}})),
        "tensors",
        "__metadata__ is {'a': 5}, expected an object of texts",
    ),
    "wrong base": (_other_base, "configuration", "base_fingerprint is 000000000000…, expected"),
    "wrong shape": (_tensor(torch.zeros(8, 64)), "fit", "is of shape [8, 64], expected shape [8, 128]"),
    "wrong type": (_tensor(torch.zeros(8, 128, dtype=torch.int8)), "fit", "is of type I8, expected"),
    "missing tensor": (_tensor(None), "fit", f"tensor {FIRST} is missing"),
    "another tensor": (_tensor(torch.zeros(3), "lm_head.weight"), "fit", "unexpected tensor lm_head.weight"),
    "NUL in a name": (_one_more("evil\0x"), "fit", "unexpected tensor 'evil\\x00x' (1 in all)"),
    "surrogate in a name": (_one_more("\ud800"), "fit", "unexpected tensor '\\ud800' (1 in all)"),
    "long name": (_one_more("A" * 1_500_000), "fit", "unexpected tensor 'AAAA"),
    "NaN": (_tensor(torch.full((8, 128), float("nan"))), "values", f"{FIRST} is not finite everywhere"),
    "NaN in bfloat16": (
        _tensor(torch.full((8, 128), float("nan"), dtype=torch.bfloat16)),
        "values",
        "is not finite everywhere",
    ),
    "infinity": (_tensor(torch.full((8, 128), float("inf")).half()), "values", "is not finite everywhere"),
    "too large": (_tensor(torch.full((8, 128), 1e38)), "values", "is too large, expected at most 65504"),
    "empty delta": (_no_delta, "values", "every product of lora_B and lora_A is zero"),
}
