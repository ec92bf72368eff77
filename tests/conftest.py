"""Fixtures: real embedded services, a small test world, real worker processes, a real web server."""

import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId

ROOT = Path(__file__).resolve().parents[1]
# Three processes share the suite (pytest-xdist) and two cores: many tests wait. Each has services of its own; the
# converted base is theirs together.
VAR = ROOT / "var" / f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
os.environ["ROOTSTOCK_VAR"] = str(VAR)
MODELS = ROOT / "var" / "test-models"
MODELS.mkdir(parents=True, exist_ok=True)
VAR.mkdir(exist_ok=True)
if not (VAR / "models").is_dir():
    (VAR / "models").symlink_to(MODELS)
os.environ["PYTHONPATH"] = f"{ROOT / 'platform'}{os.pathsep}{ROOT}"  # of the processes that tests start
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")
os.environ.setdefault("ROOTSTOCK_DATA", str(ROOT.parent / "shared" / "data"))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("ROOTSTOCK_JOB_LEASE_S", "3")  # what a killed worker held is taken up quickly

os.environ.setdefault("ROOTSTOCK_CHECKPOINT_S", "1")

import django  # noqa: E402  (the environment first)
from django.conf import settings  # noqa: E402

settings.PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    *settings.PASSWORD_HASHERS,
]  # quick
settings.WHITENOISE_AUTOREFRESH = True  # or each test client would look at every static file before it asks
django.setup()  # a folder's conftest may import models, and is read before pytest-django sets Django up
del os.environ[
    "DJANGO_SETTINGS_MODULE"
]  # or pytest-django would read the settings before this file in a child process

pytest_plugins = [f"tests.fixtures.{name}" for name in ("services", "world", "processes", "bucket")]


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Both processes must name a test alike, so what is long, and may be made anew in each, is only counted."""
    return argname if isinstance(val, str | bytes) and len(val) > 40 else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--few", type=int, help="tests of a file at most, with two parameter sets each: for `make check`"
    )


def _leave_out_all_but(few: int, items: list[pytest.Item]) -> None:
    """Mark as slow what comes after the first tests of a file and after the first sets of a test."""
    sets: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        if item.get_closest_marker("slow") is None:
            tests, test = sets[item.nodeid.partition("::")[0]], item.nodeid.partition("[")[0]
            tests[test] += 1
            if tests[test] > 2 or list(tests).index(test) >= few:
                item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that need the whole site go to one process, first: the site is started once, and they take longest.
    Then those that go through every organisation: each test beside other processes leaves two behind."""
    from tests.fixtures.processes import uses_site

    if few := config.getoption("--few"):
        _leave_out_all_but(few, items)
    with_site = [item for item in items if uses_site(item)]
    for item in with_site:
        item.add_marker(pytest.mark.xdist_group("site"))
    for item in items:  # what pytest-xdist 3.8 would do, but cannot with pytest 9.2's ids
        if mark := item.get_closest_marker("xdist_group"):
            item._id = NodeId.parse(f"{item.nodeid}@{mark.args[0]}")
    items.sort(key=lambda item: (not uses_site(item), item.get_closest_marker("everybody") is None))
