"""Checks of uploaded content: one literal table says which checks each type has to pass.

A check reads the file at its own pace and raises `Refusal` with words for the person who uploaded it. None of
them executes, renders or unpacks anything to disk, and each bounds what it reads into memory.
"""

from collections.abc import Callable
from typing import BinaryIO

from rootstock.files.scanners import archives, documents, images, pdf, tensors, texts
from rootstock.files.scanners.common import Refusal

Check = Callable[[BinaryIO], str]  # what was found, in a few words

OOXML = "application/vnd.openxmlformats-officedocument."
SCANNERS: dict[str, tuple[tuple[str, Check], ...]] = {
    "application/gzip": (("archive", archives.check_gzip),),
    "application/json": (("text", texts.check_text), ("json", texts.check_json)),
    "application/jsonl": (("text", texts.check_text), ("json lines", texts.check_json_lines)),
    "application/pdf": (("one format only", archives.check_no_archive), ("active content", pdf.check_pdf)),
    "application/x-safetensors": (("tensors", tensors.check_safetensors),),
    "application/x-tar": (("archive", archives.check_tar),),
    "application/zip": (("archive", archives.check_zip),),
    OOXML + "presentationml.presentation": (
        ("archive", archives.check_zip),
        ("macros", documents.check_office),
    ),
    OOXML + "spreadsheetml.sheet": (("archive", archives.check_zip), ("macros", documents.check_office)),
    OOXML + "wordprocessingml.document": (
        ("archive", archives.check_zip),
        ("macros", documents.check_office),
    ),
    "image/gif": (("one format only", archives.check_no_archive), ("image", images.check_gif)),
    "image/jpeg": (("one format only", archives.check_no_archive), ("image", images.check_jpeg)),
    "image/png": (("one format only", archives.check_no_archive), ("image", images.check_png)),
    "image/svg+xml": (("text", texts.check_text), ("active content", documents.check_markup)),
    "image/webp": (("one format only", archives.check_no_archive), ("image", images.check_webp)),
    "text/csv": (("text", texts.check_text), ("table", texts.check_csv)),
    "text/html": (("text", texts.check_text), ("active content", documents.check_markup)),
    "text/plain": (("text", texts.check_text),),
}

__all__ = ["SCANNERS", "Check", "Refusal"]
