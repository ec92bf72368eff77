"""Fixtures: real embedded services, a small test world, real worker processes, a real web server."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VAR = Path(os.environ.get("ROOTSTOCK_TEST_VAR", ROOT / "var" / "test")).resolve()
os.environ["ROOTSTOCK_VAR"] = str(VAR)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")
os.environ.setdefault("ROOTSTOCK_DATA", str(ROOT.parent / "shared" / "data"))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import django  # noqa: E402  (the environment first)
from django.conf import settings  # noqa: E402

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
django.setup()  # a folder's conftest may import models, and is read before pytest-django sets Django up

pytest_plugins = ["tests.fixtures.services", "tests.fixtures.world", "tests.fixtures.processes"]
