"""The checks of an uploaded adapter, one after the other; the first that refuses ends them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models_zoo.llm.adapter_files import AdapterPlan, adapter_plan, read_lora_config, verified_card
from models_zoo.llm.card import (
    ADAPTER_CARD_FILE,
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    HEAD_FILE,
    AdapterCard,
    AdapterError,
    BaseCard,
    ModelError,
    write_card,
)
from models_zoo.llm.foreign import bounded, read_storable, refuse_long, shown
from models_zoo.llm.intake.archive import ARCHIVE, KEPT, NEEDED, is_wanted, unpack_adapter
from models_zoo.llm.intake.cards import check_card
from models_zoo.llm.intake.values import check_values
from models_zoo.llm.tensor_header import read_header

MOST_TOLD = 2_000  # characters of any text in a card: it is shown on pages


@dataclass(slots=True, frozen=True)
class Outcome:
    """What one check said."""

    check: str
    passed: bool
    text: str


def verify(sources: Mapping[str, Path], folder: Path, base: BaseCard, name: str) -> Iterator[Outcome]:
    """Check an uploaded adapter and put its files into the new folder `folder`.

    sources: the files by their names in an adapter, or `{"archive": a zip of them}`. A folder that comes without a
    card gets one, as chat adapter `name` of `base`. After a refusal there is no `folder`.
    """
    for check, look in _checks(sources, folder, base, name):
        try:
            yield Outcome(check, True, look())
        except ModelError as error:
            shutil.rmtree(folder, ignore_errors=True)
            yield Outcome(check, False, bounded(str(error).replace(f"{folder}/", "")))
            return


def _checks(
    sources: Mapping[str, Path], folder: Path, base: BaseCard, name: str
) -> Iterator[tuple[str, Callable[[], str]]]:
    plans: list[AdapterPlan] = []

    def fits() -> str:
        plans.append(adapter_plan(folder, base))
        return f"{len(plans[0].lora) + len(plans[0].head)} tensors, of the shapes that {base.name} needs"

    yield "files", lambda: _take(sources, folder)
    yield "tensors", lambda: _tensors(folder)
    yield "configuration", lambda: _configuration(folder, base, name)
    yield "fit", fits
    yield "values", lambda: check_values(folder, plans[0])


def _take(sources: Mapping[str, Path], folder: Path) -> str:
    """Bring the files into `folder`, within their limits."""
    if ARCHIVE in sources:
        unpack_adapter(sources[ARCHIVE], folder)
    else:
        _copy(sources, folder)
    found = sorted(folder.iterdir())
    return f"{', '.join(path.name for path in found)}: {sum(path.stat().st_size for path in found):,} bytes"


def _copy(sources: Mapping[str, Path], folder: Path) -> None:
    folder.mkdir()
    wanted = {name: path for name, path in sources.items() if is_wanted(PurePosixPath(name))}
    for name, path in wanted.items():
        if name not in KEPT:
            raise AdapterError(f"{shown(name)}: expected a plain name")
        size = path.stat().st_size
        if size > KEPT[name]:
            raise AdapterError(f"{name}: {size} bytes, expected at most {KEPT[name]}")
    if missing := [name for name in NEEDED if name not in wanted]:
        raise AdapterError(f"{missing[0]}: file is missing")
    for name, path in wanted.items():
        shutil.copyfile(path, folder / name)


def _tensors(folder: Path) -> str:
    headers = [read_header(folder / file) for file in (ADAPTER_FILE, HEAD_FILE) if (folder / file).exists()]
    return f"{sum(map(len, headers))} tensors in {len(headers)} files"


def _configuration(folder: Path, base: BaseCard, name: str) -> str:
    """What the two JSON files say; a card is written where none came."""
    config = read_lora_config(folder / ADAPTER_CONFIG_FILE, base)
    card = verified_card(folder, base)
    if (folder / ADAPTER_CARD_FILE).exists():
        refuse_long(folder / ADAPTER_CARD_FILE, read_storable(folder / ADAPTER_CARD_FILE), MOST_TOLD)
        check_card(folder / ADAPTER_CARD_FILE, card)
    else:
        card = AdapterCard(name=name, task="chat", base_fingerprint=base.fingerprint)
        write_card(card, folder / ADAPTER_CARD_FILE)
    return f"{card.task}, rank {config.rank} on {len(config.targets)} linears of {len(config.layers)} layers"
