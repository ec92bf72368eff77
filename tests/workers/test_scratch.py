"""The folders of trainings: one each, and none left of a killed trainer."""

import subprocess
import sys
from pathlib import Path

import pytest

from rootstock.registry.scratch import scratch_folder
from workers.trainer.service import SCRATCH

ROOT = Path(__file__).resolve().parents[2]
TRAINER = """
import sys, time
from pathlib import Path
from rootstock.registry.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1]), ".training-"):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_the_folder_of_a_killed_trainer_is_removed_and_that_of_a_living_one_kept(tmp_path: Path) -> None:
    adapter = tmp_path / "sha256-1"
    adapter.mkdir()
    environment = {
        "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "rootstock.settings",
    }
    environment["ROOTSTOCK_VAR"] = str(tmp_path / "var")
    trainer = subprocess.Popen(
        [sys.executable, "-c", TRAINER, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert trainer.stdout is not None
    assert trainer.stdout.readline() == "ready\n"
    (left,) = tmp_path.glob(".training-*")
    try:
        with scratch_folder(tmp_path, SCRATCH) as scratch:
            assert left.exists()
            assert scratch.exists()
    finally:
        trainer.kill()
        trainer.communicate()
    with scratch_folder(tmp_path, SCRATCH) as scratch:
        assert list(tmp_path.glob(".training-*")) == [scratch]
    assert not list(tmp_path.glob(".training-*"))
    assert adapter.exists()


def test_a_training_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), scratch_folder(tmp_path, SCRATCH):
        raise ValueError("no")
    assert not list(tmp_path.iterdir())
