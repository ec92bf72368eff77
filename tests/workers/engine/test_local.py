"""The engine as its callers see it: a real decoder, real adapters, threads."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from models_zoo.llm.card import AdapterError
from tests.models_zoo.llm.tiny import TinyBase
from tests.workers.engine.conftest import Desk
from workers.engine.local import LocalEngine
from workers.engine.protocol import Call, Chunk, EngineBusy, EngineError, EngineTimeout, Sampling
from workers.engine.requests import Generation

HELLO = [{"role": "user", "content": "Hello"}]


def text(chunks: Sequence[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def reply(desk: Desk, content: str = "Hello", adapter: str | None = None, **sampling: object) -> list[Chunk]:
    options = {"max_tokens": 12, **sampling}
    messages = [{"role": "user", "content": content}]
    return list(desk.engine.generate(messages, Sampling(**options), adapter))  # type: ignore[arg-type]


def test_it_works(desk: Desk) -> None:
    chunks = reply(desk)
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].finish_reason in ("stop", "length")
    assert sum(chunk.tokens for chunk in chunks) == desk.engine.stats().generated_tokens
    assert desk.engine.fingerprint == desk.base.card.fingerprint


def test_a_batch_of_strangers_answers_as_each_would_alone(desk: Desk) -> None:
    for name in ("one", "two"):
        desk.engine.load(name, desk.folders[name])
    wishes = [(f"say {n}", adapter) for n in range(3) for adapter in (None, "one", "two")]
    alone = [text(reply(desk, content, adapter)) for content, adapter in wishes]
    with ThreadPoolExecutor(len(wishes)) as pool:
        together = list(pool.map(lambda wish: text(reply(desk, *wish)), wishes))
    assert sum(a == b for a, b in zip(alone, together, strict=True)) >= len(wishes) - 1  # a near tie
    assert len(set(alone[:3])) == 3
    assert desk.engine.stats().running == 0


def test_more_adapters_than_slots_take_turns(desk: Desk) -> None:
    names = ("one", "two", "three")
    for name in names:
        desk.engine.load(name, desk.folders[name])
    alone = {name: text(reply(desk, adapter=name)) for name in names}
    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda name: (name, text(reply(desk, adapter=name))), names * 3))
    assert sum(alone[name] == answer for name, answer in answers) >= 8
    residency = {entry.adapter: entry for entry in desk.engine.adapters()}
    assert sum(entry.slot is not None for entry in residency.values()) == 2
    assert all(entry.in_use == 0 for entry in residency.values())


def test_a_seed_repeats_a_drawn_reply(desk: Desk) -> None:
    drawn = [text(reply(desk, temperature=1.5, top_p=0.9, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_repetition_penalty_has_an_effect(desk: Desk) -> None:
    assert text(reply(desk, max_tokens=30)) != text(reply(desk, max_tokens=30, repetition_penalty=1.8))


def test_a_stop_string_ends_the_reply_and_is_not_shown(desk: Desk) -> None:
    whole = text(reply(desk, max_tokens=40))
    stop = whole[3:5]
    chunks = reply(desk, max_tokens=40, stop=(stop,))
    assert chunks[-1].finish_reason == "stop"
    assert text(chunks) == whole[: whole.index(stop)]


def slow_down(desk: Desk, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.02) -> None:
    """Make each decode step take longer, and never end by itself."""
    decode = desk.engine._loop._runner.decode

    def slowly(requests: Sequence[Generation]) -> list[int]:
        time.sleep(seconds)
        return [10] * len(decode(requests))

    monkeypatch.setattr(desk.engine._loop._runner, "decode", slowly)


def settled(desk: Desk) -> int:
    """Generated tokens once nothing is running."""
    for _ in range(200):
        if not desk.engine.stats().running:
            break
        time.sleep(0.01)
    assert desk.engine.stats().running == 0
    return desk.engine.stats().generated_tokens


def test_cancelling_ends_within_a_step(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch)
    flag = threading.Event()
    chunks = []
    for chunk in desk.engine.generate(HELLO, Sampling(max_tokens=200), call=Call(cancelled=flag.is_set)):
        chunks.append(chunk)
        if len(chunks) == 3:
            flag.set()
    assert chunks[-1].finish_reason == "cancelled"
    assert settled(desk) < 12


def test_closing_the_iterator_cancels(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch)
    chunks = desk.engine.generate(HELLO, Sampling(max_tokens=200))
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert settled(desk) < 12


def test_a_deadline_ends_a_running_and_a_waiting_reply(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch)
    running = desk.engine.generate(HELLO, Sampling(max_tokens=200), call=Call(deadline=time.time() + 0.2))
    assert next(running).text
    with pytest.raises(EngineTimeout):
        list(running)
    with pytest.raises(EngineTimeout):
        list(desk.engine.generate(HELLO, Sampling(), call=Call(deadline=time.time() - 1)))


def test_an_error_ends_its_requests_and_not_the_engine(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(requests: Sequence[Generation]) -> list[int]:
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(desk.engine._loop._runner, "decode", broken)
        with pytest.raises(EngineError, match="MemoryError: no room"):
            reply(desk)
    assert text(reply(desk))
    assert (desk.engine.stats().errors, desk.engine.stats().running) == (1, 0)


def test_a_full_queue_is_said_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch)
    for _ in range(32):
        desk.engine.generate(HELLO, Sampling(max_tokens=200))
    with pytest.raises(EngineBusy):  # noqa: PT012
        for _ in range(8):  # as many as may have begun to run meanwhile, and more
            desk.engine.generate(HELLO, Sampling(max_tokens=200))


def test_a_conversation_too_long_is_refused_at_the_call(desk: Desk) -> None:
    with pytest.raises(EngineError, match="at most 255 fit"):
        desk.engine.generate([{"role": "user", "content": "long " * 200}], Sampling())
    with pytest.raises(ValueError, match="role"):
        desk.engine.generate([{"role": "robot", "content": "x"}], Sampling())


def test_a_reply_never_outgrows_the_context(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch, seconds=0)
    chunks = reply(desk, content="word " * 40, max_tokens=10_000)
    assert chunks[-1].finish_reason == "length"


def test_classify(desk: Desk) -> None:
    desk.engine.load("class", desk.folders["class"])
    texts = ["short", "a much longer text about parcels " * 6, ""]
    together = desk.engine.classify(texts, "class")
    for result, content in zip(together, texts, strict=True):
        assert list(result) == ["bad", "fine", "good"]
        assert sum(result.values()) == pytest.approx(1.0, abs=1e-5)
        (alone,) = desk.engine.classify([content], "class")
        assert result == pytest.approx(alone, abs=2e-2)


def test_tag_long_texts_in_windows(desk: Desk) -> None:
    desk.engine.load("tags", desk.folders["tags"])
    content = "Ann met Bob in Oslo. " * 12
    short, empty, long = desk.engine.tag(["Ann", "", content], "tags")
    assert empty == []
    assert all(
        0 <= span.start < span.end <= len(content) and span.label == "NAME" for span in [*short, *long]
    )
    assert all(a.end <= b.start for a, b in pairwise(long))
    assert desk.engine.stats().texts > 3  # the long one took several windows


def test_a_call_may_be_larger_than_the_queue(desk: Desk) -> None:
    desk.engine.load("class", desk.folders["class"])
    texts = [f"text {n}" for n in range(100)]  # the queue holds 32
    results = desk.engine.classify(texts, "class")
    assert results[97] == pytest.approx(desk.engine.classify([texts[97]], "class")[0], abs=1e-4)


def test_reading_and_writing_at_once(desk: Desk) -> None:
    desk.engine.load("class", desk.folders["class"])
    with ThreadPoolExecutor(6) as pool:
        replies = [pool.submit(reply, desk, f"say {n}", max_tokens=30) for n in range(3)]
        classes = [pool.submit(desk.engine.classify, ["a", "b"], "class") for _ in range(3)]
        assert all(len(future.result()) == 2 for future in classes)
        assert all(future.result()[-1].finish_reason for future in replies)


def test_adapters_are_checked_and_named(desk: Desk, tmp_path: Path) -> None:
    desk.engine.load("one", desk.folders["one"])
    for call in (
        lambda: desk.engine.classify(["x"], "absent"),
        lambda: desk.engine.classify(["x"], "one"),
        lambda: desk.engine.tag(["x"], "one"),
        lambda: desk.engine.generate(HELLO, Sampling(), adapter="absent"),
        lambda: desk.engine.unload("absent"),
    ):
        with pytest.raises(EngineError, match=r"absent is not loaded|one is for chat"):
            call()
    with pytest.raises(AdapterError, match=r"adapter_config\.json: file is missing"):
        desk.engine.load("empty", tmp_path)


def test_unloading_lets_the_last_reply_finish(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch, seconds=0.005)
    desk.engine.load("one", desk.folders["one"])
    running = desk.engine.generate(HELLO, Sampling(max_tokens=30), adapter="one")
    next(running)
    desk.engine.unload("one")
    with pytest.raises(EngineError, match="not loaded"):
        desk.engine.generate(HELLO, Sampling(), adapter="one")
    assert list(running)[-1].finish_reason == "length"
    assert desk.engine.adapters() == []
    desk.engine.load("one", desk.folders["one"])
    assert text(reply(desk, adapter="one"))


def test_closing_fails_what_is_in_flight(
    tiny: tuple[TinyBase, dict[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(tiny[0].folder, threads=1, slots=1, sequences=2, context=256)
    desk = Desk(tiny[0], engine, {})
    slow_down(desk, monkeypatch)
    running = engine.generate(HELLO, Sampling(max_tokens=200))
    next(running)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        list(running)
    with pytest.raises(EngineError, match="closed"):
        engine.generate(HELLO, Sampling())


def test_partial_characters_are_held_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = desk.engine._tokenizer
    script = [*tokenizer.encode("é😀ß"), desk.base.card.end_token]
    step = iter(script)
    runner = desk.engine._loop._runner
    monkeypatch.setattr(runner, "prefill", lambda requests: [next(step) for _ in requests])
    monkeypatch.setattr(runner, "decode", lambda requests: [next(step) for _ in requests])
    chunks = reply(desk, max_tokens=50)
    assert [chunk.text for chunk in chunks] == ["é", "😀", "ß", ""]
    assert [chunk.tokens for chunk in chunks] == [2, 4, 2, 1]
    assert chunks[-1].finish_reason == "stop"
