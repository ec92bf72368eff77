"""Variables of the environment as settings: a wrong value stops the start with the variable's name."""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

env = environ.Env()


def integer(name: str, default: int, minimum: int = 0) -> int:
    """A whole number."""
    raw = os.environ.get(name, str(default))
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r}: expected a whole number") from None
    if value < minimum:
        raise ImproperlyConfigured(f"{name}={raw!r}: expected at least {minimum}")
    return value


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of a few words."""
    value = os.environ.get(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: expected one of {', '.join(choices)}")
    return value


def together(*names: str) -> list[str]:
    """Variables that are given all or not at all."""
    values = [os.environ.get(name, "") for name in names]
    if any(values) and not all(values):
        missing = ", ".join(name for name, value in zip(names, values, strict=True) if not value)
        raise ImproperlyConfigured(f"{missing}: required beside {names[0]}")
    return values


def domains(raw: str) -> dict[str, tuple[str, str]]:
    """`example.org=acme:auditor,…` as domain → (organisation's slug, role)."""
    found = {}
    for part in filter(None, (piece.strip() for piece in raw.split(","))):
        domain, _, target = part.partition("=")
        slug, _, role = target.partition(":")
        if not (domain and slug and role):
            raise ImproperlyConfigured(f"ROOTSTOCK_OIDC_DOMAINS: {part!r}: expected domain=organisation:role")
        found[domain.lower()] = (slug, role)
    return found


def origin(name: str, url: str) -> str:
    """Scheme and host of a web address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ImproperlyConfigured(f"{name}={url!r}: expected an address such as https://id.example.org")
    return f"{parts.scheme}://{parts.netloc}"


def hosts_and_networks(name: str) -> tuple[str, ...]:
    """A list of hosts and networks."""
    found = tuple(entry.lower() for entry in env.list(name, default=[]))
    for entry in found:
        if "/" in entry or not entry.strip("0123456789."):
            try:
                ip_network(entry)
            except ValueError as error:
                raise ImproperlyConfigured(f"{name}: {error}") from None
    return found


def clamd(name: str) -> str:
    """Where a ClamAV daemon listens; empty for none."""
    value = os.environ.get(name, "")
    if value and not re.fullmatch(r"unix:/.+|.+:\d{1,5}", value):
        raise ImproperlyConfigured(f"{name}={value!r}: expected unix:/path/of/socket or host:port")
    return value


def file_storage(name: str, folder: Path) -> dict[str, Any]:
    """Where uploaded files lie: a folder, or a bucket."""
    value = os.environ.get(name, "")
    if not value:
        options = {
            "location": folder,
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        }
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([^?#]*))?", value)
    if match is None:
        raise ImproperlyConfigured(f"{name}={value!r}: expected s3://bucket or s3://bucket/prefix")
    from botocore.config import Config

    bucket = {
        "bucket_name": match.group(1),
        "location": (match.group(2) or "").strip("/"),
        "endpoint_url": os.environ.get("ROOTSTOCK_S3_ENDPOINT") or None,
        "file_overwrite": True,  # every content has a key of its own
        "default_acl": None,
        "client_config": Config(connect_timeout=5, read_timeout=60),  # in place of a minute, five times over
        "max_memory_size": 2**20,  # more of a file that is read lies on disk
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": bucket}


def database(variable: str, default: str, **options: object) -> dict[str, object]:
    """A PostgreSQL URL as Django takes it."""
    try:
        parts = conninfo_to_dict(os.environ.get(variable) or default)
    except ProgrammingError as error:
        raise ImproperlyConfigured(f"{variable}: not a PostgreSQL URL: {str(error).strip()}") from None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "rootstock"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": {**parts, **options},  # sslmode and the like from the URL are kept
    }
