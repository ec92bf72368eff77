"""Lines written for this project, kept as text files beside a task, and the split of everything made from them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from models_zoo.zoo.files import share_of
from models_zoo.zoo.tasks import TRAIN, VALIDATION

TEST = "test"
SHARES = (0.25, 0.4)  # test below the first, validation below the second


@cache
def lines(folder: str, name: str) -> tuple[str, ...]:
    """Of `models_zoo/zoo/FOLDER/NAME.txt`, without its remarks."""
    text = files(f"models_zoo.zoo.{folder}").joinpath(f"{name}.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def part_of(text: str) -> str:
    """The part that everything made from a text belongs to, by its hash."""
    share = share_of(text)
    return TEST if share < SHARES[0] else VALIDATION if share < SHARES[1] else TRAIN


def of_part(folder: str, name: str, part: str) -> list[str]:
    """The lines of a file that belong to the part."""
    return [line for line in lines(folder, name) if part_of(line) == part]


@cache
def sections(folder: str, name: str) -> dict[str, tuple[str, ...]]:
    """The lines of such a file under each of its `== headings`; what stands before the first is a remark."""
    text = files(f"models_zoo.zoo.{folder}").joinpath(f"{name}.txt").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("== "):
            found[line[3:]] = []
        elif found and line:
            found[list(found)[-1]].append(line)
    return {heading: tuple(below) for heading, below in found.items()}
