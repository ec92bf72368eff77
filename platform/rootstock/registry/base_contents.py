"""Where trained bases' files lie: in storage, under the organisation and the fingerprint, and in a local folder of the
hosts that serve them. What comes from storage is believed by its sums alone."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from models_zoo.llm.card import BASE_CARD_FILE, BASE_FILE, ModelError, file_sha256, read_card
from models_zoo.llm.vocabulary import SETTINGS_FILE, TOKENIZER_FILE
from rootstock.files.contents import content_delete
from rootstock.registry.models import TrainedBase

PREFIX = "bases"
SERVED = (BASE_FILE, BASE_CARD_FILE, TOKENIZER_FILE, SETTINGS_FILE)
UNQUANTIZED = "unquantized/"


def base_store(organisation: UUID, target: Path, unquantized: Path) -> tuple[dict[str, str], int]:
    """Put a base and what it was quantized from into storage; the sum of each file by its name, and bytes in all."""
    fingerprint = read_card(target).fingerprint
    sums, size = dict[str, str](), 0
    for name, path in _files(target, unquantized):
        sums[name], size = file_sha256(path), size + path.stat().st_size
        key = _key(organisation, fingerprint, name)
        default_storage.delete(key)  # an attempt that was cut off may have left a piece of it
        with path.open("rb") as content:
            default_storage.save(key, File(content))
    return sums, size


def base_discard(organisation: UUID, fingerprint: str, files: dict[str, str]) -> None:
    """Take a base's files out of storage."""
    for name in files:
        content_delete(_key(organisation, fingerprint, name))


def base_fetch(row: TrainedBase) -> Path:
    """The local folder of a base, fetched from storage if it must be.

    Raises ModelError when storage does not hold what the row says.
    """
    target = Path(settings.MODELS_DIR) / row.reference
    if (target / BASE_CARD_FILE).is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as scratch:
        folder = Path(scratch) / "base"
        _fetch(row, {name: name for name in SERVED}, folder)
        shutil.rmtree(target, ignore_errors=True)  # a folder without a card is of no use
        folder.rename(target)
    return target


def unquantized_fetch(row: TrainedBase, folder: Path) -> Path:
    """Fetch what a base was quantized from into the new `folder`. Raises ModelError like `base_fetch`."""
    names = [name for name in row.files if name.startswith(UNQUANTIZED)]
    _fetch(row, {name: name.removeprefix(UNQUANTIZED) for name in names}, folder)
    return folder


def base_key(row: TrainedBase, name: str) -> str:
    """Where one of a base's files lies in storage."""
    return _key(row.organisation_id, row.base.fingerprint, name)


def _fetch(row: TrainedBase, names: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, local in names.items():
        key = base_key(row, name)
        if not default_storage.exists(key):
            raise ModelError(f"{row.reference}: {name} is missing in storage")
        with default_storage.open(key) as stored, (folder / local).open("wb") as copy:
            shutil.copyfileobj(stored, copy)
        if file_sha256(folder / local) != row.files[name]:
            raise ModelError(f"{row.reference}: storage holds another {name} than was registered")


def _files(target: Path, unquantized: Path) -> Iterator[tuple[str, Path]]:
    yield from ((name, target / name) for name in SERVED)
    yield from ((f"{UNQUANTIZED}{path.name}", path) for path in sorted(unquantized.iterdir()))


def _key(organisation: UUID, fingerprint: str, name: str) -> str:
    return f"{PREFIX}/{organisation}/{fingerprint}/{name}"
