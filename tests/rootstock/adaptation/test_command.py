"""`manage.py adapt`: what a file may say, and what the end says."""

import json
import os
import re
import signal
import threading
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.registry.models import Dataset
from tests.fixtures.jobs import run_job
from tests.fixtures.registry import version_row

LINE = json.dumps(
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
)


def train(handle: Any) -> dict[str, Any]:
    """What the trainer tells of a training."""
    handle.progress(1, 1, "loss 1.250", force=True)
    handle.event("step", {"step": 1, "steps": 1, "loss": 1.25})
    handle.event("evaluation", {"step": 1, "steps": 1, "metrics": {"loss": 1.5}, "best": True})
    with handle.commit() as result:
        version = version_row(handle.organisation.pk, "desk")
        result |= {"adapter": version.reference, "digest": version.digest}
    return result


def fail(handle: Any) -> dict[str, Any]:
    from rootstock.errors import InvalidInput

    raise InvalidInput("the training process failed")


@pytest.fixture
def adapt(committed_world, base, tmp_path):
    """Writes the file, and runs the command; `work` is what the trainer does."""
    owner = committed_world.organisation
    (tmp_path / "answers.jsonl").write_text(LINE)

    def worker(work: Any) -> None:
        from django.db import connection

        until = time.monotonic() + 20
        while time.monotonic() < until:
            with tenant(owner):
                job = Job.objects.filter(kind="adapters.train").first()
            if job:
                run_job(owner.pk, job.pk, work)
                break
            time.sleep(0.05)
        connection.close()

    def run(text: str, work: Any = None, organisation: str = owner.slug) -> tuple[int, str]:
        (tmp_path / "config.toml").write_text(f'organisation = "{organisation}"\n{text}')
        thread = threading.Thread(target=worker, args=(work,), daemon=True)
        if work is not None:
            thread.start()
        out = StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", out)
            with pytest.raises(SystemExit) as ended:
                call_command("adapt", tmp_path / "config.toml", stdout=out, stderr=out)
        thread.join()
        return ended.value.code, out.getvalue()

    return run


def test_it_works(adapt, committed_world) -> None:
    told = 'name = "desk"\ndataset = "answers.jsonl"\n[settings]\nrank = 4\n'
    status, said = adapt(told, train)
    assert status == 0
    assert "Step 1/1: valid_loss=1.5" in said
    assert "came out; talk to it" in said
    with tenant(committed_world.organisation):
        assert (
            Dataset.objects.get().name,
            Job.objects.get(kind="adapters.train").params["settings"]["rank"],
        ) == ("answers", 4)


def test_a_failed_training_says_why(adapt) -> None:
    status, said = adapt('name = "desk"\ndataset = "answers.jsonl"', fail)
    assert status == 1
    assert "the training process failed" in said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('dataset = "answers.jsonl"', "name: Field required"),
        ('name = "desk"\ndataset = "answers.jsonl"\nrank = 4', "rank: Extra inputs are not permitted"),
        (
            'name = "desk"\ndataset = "answers.jsonl"\n[settings]\nrank = 900',
            "settings.rank: Input should be",
        ),
        ('name = "desk"\ndataset = "nothing"', "dataset: there is no data set 'nothing'"),
        ('name = "desk"\ndataset = "none.jsonl"', "dataset: .*No such file"),
        ('name = "desk"\ndataset = "config.toml"', "dataset: config.toml: line 1: is not JSON"),
        (
            'name = "desk"\ndataset = "answers.jsonl"\n[settings]\npatience = 1',
            "settings.patience: needs an evaluation",
        ),
        (
            'name = "desk"\ndataset = "answers.jsonl"\nevaluation = "answers.jsonl"',
            "evaluation: answers has another part",
        ),
        ("name = ", ".*config.toml: Invalid value"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(adapt, text, told) -> None:
    with pytest.raises(CommandError) as refused:
        adapt(text)
    assert refused.value.returncode == 2
    assert re.search(f"^{told}", str(refused.value), re.MULTILINE)


def test_an_unknown_organisation_is_named(adapt) -> None:
    with pytest.raises(CommandError, match="organisation: there is no 'nobody'"):
        adapt('name = "desk"\ndataset = "answers.jsonl"', organisation="nobody")


class Terminal(StringIO):
    """A standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


def interrupted(handle: Any) -> dict[str, Any]:
    """A training during which Ctrl-C is pressed: it goes on until it is cancelled, or a second longer."""
    os.kill(os.getpid(), signal.SIGINT)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        handle.check()
        time.sleep(0.05)
    return train(handle)


@pytest.fixture
def ctrl_c():
    """Ctrl-C is heard, also where the tests run in the background of a shell, which ignores it for them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(("answer", "status", "said"), [("c", 3, "was cancelled"), ("l", 4, "It goes on.")])
def test_ctrl_c_asks_whether_to_cancel_or_to_leave_it(adapt, monkeypatch, answer, status, said) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    ended, told = adapt('name = "desk"\ndataset = "answers.jsonl"', interrupted)
    assert (ended, said in told) == (status, True)
