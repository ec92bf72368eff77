"""File names as they are shown and handed out again: a name, never a path."""

import re
import unicodedata
from pathlib import PurePath

from rootstock.files.detection import EXTENSIONS

MAX_NAME = 200
# Control characters, and those that turn the reading direction ("exe.txt" shown as "txt.exe").
_REMOVED = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
_RISKY = re.compile(r'[<>:"|?*;]+')


def nameless(name: str) -> str:
    """Of a file about a person no more than a known extension stays: such names tend to be the person's."""
    suffix = PurePath(name).suffix.lower()
    return f"personal{suffix}" if suffix in EXTENSIONS else "personal"


def safe_name(name: str) -> str:
    """The last part of what was sent, without what misleads; the extension is kept when it is too long."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", _REMOVED.sub("", name)))[-1]
    cleaned = " ".join(_RISKY.sub("_", last).split()).strip(". ")
    if not cleaned:
        return "file"
    path = PurePath(cleaned)
    suffix = path.suffix[:20]
    return path.name if len(path.name) <= MAX_NAME else path.stem[: MAX_NAME - len(suffix)] + suffix
