"""Rootstock's settings, with one lane that echoes, a kind of job that is only watched, and the bench's endpoints."""

from rootstock.catalogue import JobKind, Lane
from rootstock.settings import *  # noqa: F403
from rootstock.settings import JOB_KINDS, LANES

LANES["bench.echo"] = Lane("tests.bench.stand.lanes.Echo", "bench", deadline_s=10.0)
LANE_GROUPS = ("language", "score", "bench")
JOB_KINDS["bench.watched"] = JobKind("", "nobody", "A job that is watched", "fraud:write")
ROOT_URLCONF = "tests.bench.stand.urls"
