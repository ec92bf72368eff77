"""What data sets and adapters may be called."""

import re

from rootstock.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")


def check_name(name: str) -> None:
    """Raise InvalidInput for a name that no data set or adapter can have."""
    if not _NAME.fullmatch(name):
        raise InvalidInput.field("name", "use 2 to 63 lower-case letters, digits and hyphens")
