"""Rootstock's settings, with one lane that echoes and the bench's endpoints."""

from rootstock.settings import *  # noqa: F403
from rootstock.settings import LANES, Lane

LANES["bench.echo"] = Lane("tests.bench.stand.lanes.Echo", "bench", deadline_s=10.0)
LANE_GROUPS = ("language", "score", "bench")
ROOT_URLCONF = "tests.bench.stand.urls"
