"""The worker's side: without the adapter there is no text at all."""

import pytest


@pytest.mark.slow
def test_no_adapter_no_answer(services: None) -> None:
    from uuid import uuid4

    from apps.ehr.handlers import DeidentifyHandler
    from rootstock.errors import Unavailable
    from workers.handlers import LaneRequest
    from workers.runtime import Runtime

    handler = DeidentifyHandler()
    # A worker of the score group: it has no base model to put an adapter on.
    handler.load(Runtime("test", ("score",)))
    request = LaneRequest("1", uuid4(), {"text": "Ann Lee, born 1 May 1950", "known": []}, 0.0)
    [answer] = handler.run([request])
    assert isinstance(answer, Unavailable)
    assert "Ann" not in answer.detail
