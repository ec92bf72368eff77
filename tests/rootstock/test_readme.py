"""What README says is there."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z]+)\b", README))))
def test_make_targets_exist(target) -> None:
    assert target in TARGETS


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`manage\.py (\w+)`", README))))
def test_management_commands_exist(command) -> None:
    assert command in get_commands()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`(python -m [^`]+)`", README))))
def test_modules_have_their_command(command) -> None:
    module, *words = shlex.split(command)[2:]
    main = ROOT / module.replace(".", "/") / "__main__.py"
    assert main.is_file()
    assert not words or f'"{words[0]}"' in main.read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_linked_files_exist(path) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:apps|models_zoo|platform)/[\w/.]+)`", README))))
def test_named_paths_exist(name) -> None:
    assert (ROOT / name).exists()
