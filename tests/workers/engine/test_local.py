"""The engine as its callers see it: a real decoder, real adapters, threads."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from models_zoo.llm.card import AdapterError
from tests.models_zoo.llm.tiny import TinyBase
from tests.workers.engine.conftest import Desk, assert_same, both_paths
from workers.engine.generation.constraints import ConstraintError, Matcher
from workers.engine.local import ANYONE, LocalEngine
from workers.engine.protocol import (
    Call,
    Chunk,
    Constraint,
    EngineBusy,
    EngineError,
    EngineTimeout,
    Message,
    PromptTooLong,
    Sampling,
)
from workers.engine.runner import Entry, Outcome
from workers.engine.scheduling.entry import Piece

HELLO = [{"role": "user", "content": "Hello"}]


def text(chunks: Sequence[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


def reply(
    desk: Desk, content: str = "Hello", adapter: str | None = None, call: Call = ANYONE, **sampling: object
) -> list[Chunk]:
    options = {"max_tokens": 12, **sampling}
    messages = [{"role": "user", "content": content}]
    return list(desk.engine.generate(messages, Sampling(**options), adapter, call))  # type: ignore[arg-type]


@both_paths
def test_it_works(desk: Desk) -> None:
    chunks = reply(desk)
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].finish_reason in ("stop", "length")
    assert sum(chunk.tokens for chunk in chunks) == settled(desk)
    assert desk.engine.fingerprint == desk.base.card.fingerprint


@both_paths
def test_a_batch_of_strangers_answers_as_each_would_alone(desk: Desk) -> None:
    for name in ("one", "two"):
        desk.engine.load(name, desk.folders[name])
    wishes = [(f"say {n}", adapter) for n in range(3) for adapter in (None, "one", "two")]
    alone = [text(reply(desk, content, adapter)) for content, adapter in wishes]
    with ThreadPoolExecutor(len(wishes)) as pool:
        together = list(pool.map(lambda wish: text(reply(desk, *wish)), wishes))
    assert_same(desk, alone, together)
    assert len(set(alone[:3])) == 3
    settled(desk)


@both_paths
def test_more_adapters_than_slots_take_turns(desk: Desk) -> None:
    names = ("one", "two", "three")
    for name in names:
        desk.engine.load(name, desk.folders[name])
    alone = {name: text(reply(desk, adapter=name)) for name in names}
    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(lambda name: (name, text(reply(desk, adapter=name))), names * 3))
    assert_same(desk, [alone[name] for name, _ in answers], [answer for _, answer in answers])
    settled(desk)
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
    """Make each step take longer, and no reply end by itself."""
    run = desk.engine._loop._runner.run

    def slowly(pieces: list[Piece[Entry]], held: dict[Entry, int], meanwhile: Callable[[], None]) -> Outcome:
        time.sleep(seconds)
        outcome = run(pieces, held, meanwhile)
        outcome.logits.fill_(-100.0)
        outcome.logits[:, 10:11] = 0.0
        return outcome

    monkeypatch.setattr(desk.engine._loop._runner, "run", slowly)


def settled(desk: Desk) -> int:
    """Generated tokens once nothing is running."""
    for _ in range(200):
        if not desk.engine.stats().running:
            break
        time.sleep(0.01)
    assert desk.engine.stats().running == 0
    return desk.engine.stats().generated_tokens


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in five seconds")


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
    def broken(pieces: list[Piece[Entry]], held: dict[Entry, int], meanwhile: Callable[[], None]) -> Outcome:
        raise ArithmeticError("no sense")

    with monkeypatch.context() as patch:
        patch.setattr(desk.engine._loop._runner, "run", broken)
        with pytest.raises(EngineError, match=r"failed in a step \(ArithmeticError\)$"):
            reply(desk)
    assert text(reply(desk))
    assert desk.engine.stats().errors == 1


def told(desk: Desk, call: Call, wish: str) -> str:
    return text(reply(desk, wish, call=call, ignore_end=True))


def test_memory_that_runs_out_makes_steps_smaller_and_answers_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = [f"tell me a long story of {n} " * 3 for n in range(4)]
    alone = [text(reply(desk, wish, ignore_end=True)) for wish in wishes]
    run, sizes = desk.engine._loop._runner.run, []

    def scarce(pieces: list[Piece[Entry]], held: dict[Entry, int], meanwhile: Callable[[], None]) -> Outcome:
        sizes.append(sum(piece.count for piece in pieces))
        if sizes[-1] > 20:
            raise torch.OutOfMemoryError("20 rows are all there is memory for")
        return run(pieces, held, meanwhile)

    monkeypatch.setattr(desk.engine._loop._runner, "run", scarce)
    for organisation in ("", "other"):  # the other finds no prefix of the first in the cache
        with ThreadPoolExecutor(4) as pool:
            call = Call(organisation)
            together = list(pool.map(partial(told, desk, call), wishes))
        assert_same(desk, alone, together)
    assert max(sizes) > 20
    settled(desk)


def test_a_full_queue_is_said_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch)
    kept = [desk.engine.generate(HELLO, Sampling(max_tokens=200)) for _ in range(32)]
    with pytest.raises(EngineBusy):  # noqa: PT012
        for _ in range(8):  # as many as may have begun to run meanwhile, and more
            kept.append(desk.engine.generate(HELLO, Sampling(max_tokens=200)))


def test_a_conversation_too_long_is_refused_at_the_call(desk: Desk) -> None:
    with pytest.raises(EngineError, match="at most 255 fit"):
        desk.engine.generate([{"role": "user", "content": "long " * 200}], Sampling())
    with pytest.raises(ValueError, match="role"):
        desk.engine.generate([{"role": "robot", "content": "x"}], Sampling())
    with pytest.raises(PromptTooLong, match=r"the prompt is \d+ tokens"):
        desk.engine.generate("long " * 300, Sampling())


@pytest.mark.parametrize("asked", ["a" * 10**6, [{"role": "user", "content": "é" * 10**6}]])
def test_what_cannot_fit_is_refused_before_its_tokens_are_made(
    desk: Desk, asked: str | list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("encode", "chat"):
        monkeypatch.setattr(desk.engine._tokenizer, name, lambda *_: pytest.fail("was read"))
    with pytest.raises(PromptTooLong, match=r",000 bytes, at most 255 tokens fit"):
        desk.engine.generate(asked, Sampling())


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
        assert result == pytest.approx(alone, abs=1e-5 if desk.exact else 2e-2)


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
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors: file is missing"):
        desk.engine.load("empty", tmp_path)


def test_a_rank_above_the_workers_is_refused_by_name(tiny: tuple[TinyBase, dict[str, Path]]) -> None:
    base, folders = tiny
    with closing(LocalEngine(base.folder, threads=1, slots=1, sequences=2, largest_rank=8)) as engine:
        engine.load("one", folders["one"])
    with closing(LocalEngine(base.folder, threads=1, slots=1, sequences=2, largest_rank=7)) as engine:
        with pytest.raises(AdapterError, match="one: r is 8, expected at most 7"):
            engine.load("one", folders["one"])
        assert engine.adapters() == []


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


@pytest.mark.parametrize("kind", [{"n": 2}, {"beams": 2}])
def test_unloading_lets_candidates_and_beams_finish(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: dict[str, int]
) -> None:
    slow_down(desk, monkeypatch, seconds=0.005)
    desk.engine.load("one", desk.folders["one"])
    stranger = desk.engine.generate(HELLO, Sampling(max_tokens=40))
    next(stranger)
    running = desk.engine.generate(HELLO, Sampling(max_tokens=20, **kind), adapter="one")  # type: ignore[arg-type]
    desk.engine.unload("one")
    assert list(running)[-1].finish_reason == "length"
    assert list(stranger)[-1].finish_reason == "length"
    settled(desk)
    until(lambda: "one" not in desk.engine._loop.residency._known)


def test_a_fork_that_fails_ends_its_own_request(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(desk, monkeypatch, seconds=0.005)
    stranger = desk.engine.generate(HELLO, Sampling(max_tokens=40))
    next(stranger)

    def broken(parent: Entry, child: Entry) -> None:
        raise ArithmeticError("no sense")

    monkeypatch.setattr(desk.engine._loop.scheduler, "fork", broken)
    with pytest.raises(EngineError, match="the engine failed in a step"):
        reply(desk, n=2)
    assert list(stranger)[-1].finish_reason == "length"


def test_an_adapter_that_cannot_be_placed_fails_its_own_requests(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(desk, monkeypatch, seconds=0.005)
    desk.engine.load("one", desk.folders["one"])
    stranger = desk.engine.generate(HELLO, Sampling(max_tokens=30))
    next(stranger)

    def broken(slot: int, adapter: object) -> None:
        raise MemoryError("/some/where")

    with monkeypatch.context() as patch:
        patch.setattr(desk.engine._loop.residency._room, "_place", broken)
        with pytest.raises(EngineError, match=r"^adapter one could not be put on the device$"):
            reply(desk, adapter="one")
    assert list(stranger)[-1].finish_reason == "length"
    assert text(reply(desk, adapter="one"))


@pytest.mark.slow
@pytest.mark.parametrize(("slots", "memory"), [(2, 9.0), (3, 2.5)])
def test_adapters_in_use_without_a_pause_keep_nobody_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, slots: int, memory: float
) -> None:
    desk.engine.load("one", desk.folders["one"])
    size = desk.engine.adapters()[0].bytes
    engine = LocalEngine(
        desk.base.folder, threads=1, slots=slots, sequences=8, context=256, adapter_bytes=int(memory * size)
    )
    other = Desk(desk.base, engine, desk.folders)
    slow_down(other, monkeypatch, seconds=0.002)
    engine._loop.residency.turns.patience_s = 0.2
    for name in ("one", "two", "three"):
        engine.load(name, desk.folders[name])
    over = threading.Event()

    def busy(name: str, length: int) -> None:
        while not over.is_set():
            list(engine.generate(HELLO, Sampling(max_tokens=length), name, Call(name)))

    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(busy, name, length) for name in ("one", "two") for length in (60, 97, 131)]
        until(lambda: sum(one.in_use for one in engine.adapters()) == 6)
        try:
            late = Call("late", deadline=time.time() + 10)
            assert list(engine.generate(HELLO, Sampling(max_tokens=4), "three", late))
        finally:
            over.set()
        for run in runs:
            run.result()
    engine.close()


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
    script = iter([*desk.engine._tokenizer.encode("é😀ß"), desk.base.card.end_token])
    run = desk.engine._loop._runner.run

    def scripted(
        pieces: list[Piece[Entry]], held: dict[Entry, int], meanwhile: Callable[[], None]
    ) -> Outcome:
        outcome = run(pieces, held, meanwhile)
        if outcome.sampled:
            outcome.logits[0, next(script)] = 1e6
        return outcome

    monkeypatch.setattr(desk.engine._loop._runner, "run", scripted)
    chunks = reply(desk, max_tokens=50)
    assert [chunk.text for chunk in chunks] == ["é", "😀", "ß", ""]
    assert [chunk.tokens for chunk in chunks] == [2, 4, 2, 1]
    assert chunks[-1].finish_reason == "stop"


def test_an_empty_text_is_written_on_from_its_beginning(desk: Desk) -> None:
    assert text(list(desk.engine.generate("", Sampling(max_tokens=5, ignore_end=True))))


def test_an_error_of_one_reply_s_constraint_ends_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leads_nowhere(self: Matcher, token: int) -> bool:
        raise ConstraintError("constraint: secret words of somebody")

    monkeypatch.setattr(Matcher, "completes", leads_nowhere)
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(reply, desk, f"tell {n}", ignore_end=True, max_tokens=40) for n in range(2)]
        with pytest.raises(EngineError, match="secret words"):
            reply(desk, constraint=Constraint("regex", "aaaa+"))
        assert all(other.result()[-1].finish_reason == "length" for other in others)


def test_a_request_that_is_closed_unread_is_given_up(desk: Desk) -> None:
    desk.engine.generate(HELLO, Sampling(max_tokens=200, ignore_end=True)).close()  # type: ignore[attr-defined]
    assert settled(desk) < 200
    forgotten = desk.engine.generate(HELLO, Sampling(max_tokens=200, ignore_end=True))
    del forgotten
    assert settled(desk) < 200


def test_texts_that_nobody_wants_are_not_read(desk: Desk) -> None:
    desk.engine.load("class", desk.folders["class"])
    with pytest.raises(EngineError, match="cancelled"):
        desk.engine.classify(["x"] * 400, "class", Call(cancelled=lambda: True))
    assert desk.engine.stats().texts < 400


def by_candidate(chunks: Sequence[Chunk], n: int) -> list[str]:
    return [text([chunk for chunk in chunks if chunk.index == index]) for index in range(n)]


@both_paths
def test_candidates_share_their_prompt_and_differ(desk: Desk) -> None:
    desk.engine.load("one", desk.folders["one"])
    wish = {"content": "tell me " * 20, "adapter": "one", "temperature": 1.0, "seed": 5}
    chunks = reply(desk, n=3, **wish)  # type: ignore[arg-type]
    candidates = by_candidate(chunks, 3)
    assert len(set(candidates)) == 3
    assert sorted(chunk.index for chunk in chunks if chunk.finish_reason) == [0, 1, 2]
    assert by_candidate(reply(desk, n=3, **wish), 3) == candidates  # type: ignore[arg-type]
    assert desk.engine.stats().prompt_tokens < 4 * chunks[-1].usage.prompt_tokens  # type: ignore[union-attr]


def test_a_beam_search_finds_likelier_replies_than_greedy_choice(desk: Desk) -> None:
    def likelihood(chunks: Sequence[Chunk]) -> float:
        return sum(record.logprob for chunk in chunks for record in chunk.logprobs)

    greedy = reply(desk, max_tokens=6, logprobs=0, ignore_end=True)
    found = reply(desk, max_tokens=6, logprobs=0, ignore_end=True, beams=4, n=2)
    best, second = ([c for c in found if c.index == index] for index in (0, 1))
    assert likelihood(best) >= likelihood(second)
    assert likelihood(best) >= likelihood(greedy) - 1e-3
    settled(desk)
    assert desk.engine.stats().kv_blocks_used == 0


def test_a_prompt_read_before_is_found_again_by_its_organisation_alone(desk: Desk) -> None:
    desk.engine.load("one", desk.folders["one"])
    content = "the same long question " * 5
    first, again, stranger, adapted = (
        reply(desk, content, adapter, Call(organisation))[-1].usage
        for organisation, adapter in (("a", None), ("a", None), ("b", None), ("a", "one"))
    )
    assert all(usage is not None for usage in (first, again, stranger, adapted))
    assert first.cached_tokens == stranger.cached_tokens == adapted.cached_tokens == 0
    assert again.cached_tokens > again.prompt_tokens - 20
    assert desk.engine.stats().prefix_hit_tokens == again.cached_tokens


def test_more_replies_than_the_cache_holds_give_way_and_still_end_right(desk: Desk) -> None:
    few = 14 * 2 * 3 * 2 * 32 * 16 * 2  # bytes of 14 blocks
    engine = LocalEngine(desk.base.folder, threads=1, sequences=4, context=200, kv_bytes=few)
    wishes = [[{"role": "user", "content": f"{n} " + "word " * 8}] for n in range(6)]
    sampling = Sampling(max_tokens=60, ignore_end=True)
    alone = [text(list(engine.generate(wish, sampling))) for wish in wishes]
    assert engine.stats().preemptions == 0
    begun = [engine.generate(wish, sampling, None, Call(str(n))) for n, wish in enumerate(wishes)]
    together = [text(list(chunks)) for chunks in begun]
    assert engine.stats().preemptions > 0
    assert engine.stats().kv_blocks == 14
    assert_same(desk, alone, together)
    engine.close()


@pytest.mark.slow
def test_an_adapter_is_fetched_while_its_prompt_waits_for_memory(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is here, its prompt keeps no memory from others either."""
    desk.engine.load("one", desk.folders["one"])
    size = desk.engine.adapters()[0].bytes
    few = 16 * 2 * 3 * 2 * 32 * 16 * 2  # bytes of 16 blocks
    engine = LocalEngine(
        desk.base.folder, threads=1, sequences=4, context=256, kv_bytes=few, adapter_bytes=int(1.5 * size)
    )
    slow_down(Desk(desk.base, engine, desk.folders), monkeypatch, seconds=0.02)
    gate, read = threading.Event(), engine._loop.residency._read
    for name in ("one", "two"):
        engine.load(name, desk.folders[name])
    on_disk = next(one.adapter for one in engine.adapters() if one.tier == "disk")
    monkeypatch.setattr(engine._loop.residency, "_read", lambda folder: gate.wait(10) and read(folder))
    writer = engine.generate(HELLO, Sampling(max_tokens=90, ignore_end=True))
    next(writer)
    late = engine.generate("long " * 45, Sampling(max_tokens=2), on_disk, Call("late"))
    assert list(engine.generate(HELLO, Sampling(max_tokens=2), None, Call("other")))
    gate.set()
    until(lambda: next(one for one in engine.adapters() if one.adapter == on_disk).tier != "disk")
    assert engine.stats().running == 1, "its prompt still waits for memory"
    assert list(writer)
    assert list(late)
    engine.close()


def test_embeddings_are_of_length_one_and_tell_texts_apart(desk: Desk) -> None:
    desk.engine.load("one", desk.folders["one"])
    desk.engine.load("class", desk.folders["class"])
    texts = ["hello", "hello", "something else", "", "long " * 200]
    found = desk.engine.embed(texts)
    for one in found:
        assert sum(value * value for value in one.vector) == pytest.approx(1, abs=1e-4)
    assert found[0].vector == pytest.approx(found[1].vector, abs=1e-4)
    assert found[0].vector != pytest.approx(found[2].vector, abs=1e-2)
    assert desk.engine.embed(["hello"], "one")[0].vector != pytest.approx(found[0].vector, abs=1e-2)
    with pytest.raises(EngineError, match="is for classification"):
        desk.engine.embed(["hello"], "class")


def test_a_constraint_is_kept(desk: Desk) -> None:
    constraint = Constraint("regex", "(yes|no)!")
    assert text(reply(desk, constraint=constraint)) in ("yes!", "no!")
    with pytest.raises(EngineError, match="constraint"):
        reply(desk, constraint=Constraint("regex", "(((("))


def test_the_engine_tells_what_it_does(desk: Desk) -> None:
    desk.engine.load("one", desk.folders["one"])
    reply(desk, adapter="one", ignore_end=True)
    settled(desk)
    stats = desk.engine.stats()
    assert sum(stats.first_token_ms.counts) == 1
    assert sum(stats.inter_token_ms.counts) == 11
    assert sum(stats.batch.counts) == stats.steps == 12
    assert stats.tiers == {"device": 1, "memory": 0, "disk": 0}
    assert stats.adapter_bytes > 0
    assert stats.tokens_per_second > 0
