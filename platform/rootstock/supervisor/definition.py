"""What a supervised process is: a name, a command line, its environment, and when it is ready."""

import http.client
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

# Given the lines that the process has written since it started, is it ready?
Ready = Callable[[Sequence[str]], bool]


@dataclass(slots=True, frozen=True)
class Definition:
    """One process. `environment` is added to the supervisor's own."""

    name: str
    command: Sequence[str]
    ready: Ready
    environment: Mapping[str, str] = field(default_factory=dict)


def says(pattern: str) -> Ready:
    """Ready once a line of output contains `pattern`."""
    expression = re.compile(pattern)
    return lambda lines: any(expression.search(line) for line in lines)


def answers(host: str, port: int, path: str) -> Ready:
    """Ready once an HTTP GET is answered with 200."""

    def check(lines: Sequence[str]) -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check
