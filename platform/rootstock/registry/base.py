"""The base model that this installation serves."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from models_zoo.llm.card import BASE_CARD_FILE, BaseCard, ModelError, read_card
from rootstock.registry.models import BaseModel


def base_folder() -> Path:
    """Where the served base lies."""
    return Path(settings.MODELS_DIR) / settings.BASE_MODEL


def base_card() -> BaseCard | None:
    """The served base's card, or None before it has been converted. Read again only when its file has changed."""
    folder = base_folder()
    try:
        written = (folder / BASE_CARD_FILE).stat()
        return _card_as_of(folder, written.st_mtime_ns, written.st_ino)
    except (OSError, ModelError):
        return None


@lru_cache(maxsize=1)
def _card_as_of(folder: Path, written_ns: int, inode: int) -> BaseCard:
    return read_card(folder)


def base_fingerprint() -> str | None:
    """The short fingerprint of the served base."""
    card = base_card()
    return card.fingerprint[:16] if card else None


def base_registered(card: BaseCard) -> BaseModel:
    """The row of a base that a worker serves; made when one first does."""
    row = base_row(card)
    if row.served_at is None:
        row.served_at = timezone.now()
        row.save(update_fields=["served_at"])
    return row


def base_row(card: BaseCard) -> BaseModel:
    """The base's row, made if need be."""
    row, _ = BaseModel.objects.get_or_create(
        fingerprint=card.fingerprint,
        defaults={"name": card.name, "bytes": card.bytes, "licence": card.licence, "source": card.source},
    )
    return row
