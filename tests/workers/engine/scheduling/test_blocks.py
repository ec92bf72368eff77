"""The pool of blocks and the names of their contents."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.prefix import Chain


def test_it_works() -> None:
    pool = BlockPool(2, 4)
    first, second = pool.take(), pool.take()
    assert {first, second} == {0, 1}
    assert (pool.available, pool.used, pool.needed(5)) == (0, 2, 2)
    with pytest.raises(MemoryError):
        pool.take()
    pool.share(first)
    pool.release([first, second])
    assert (pool.references(first), pool.references(second), pool.available) == (1, 0, 1)


def test_a_published_block_is_found_until_it_is_needed() -> None:
    pool = BlockPool(1, 4)
    block = pool.take()
    pool.publish(block, b"x")
    pool.release([block])
    assert pool.find(b"x") == block
    pool.share(block)
    assert pool.available == 0
    pool.release([block])
    assert pool.take() == block
    assert pool.find(b"x") is None


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="not in use"):
        BlockPool(2, 4).release([1])
    with pytest.raises(ValueError, match="0 of 4"):
        BlockPool(0, 4)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("tsrpf"), st.integers(0, 5)), max_size=80))
def test_any_use(actions: list[tuple[str, int]]) -> None:
    """Against a list of references and a dict of contents."""
    pool = BlockPool(4, 2)
    held: list[int] = []
    content: dict[int, bytes] = {}
    for action, number in actions:
        block = held[number % len(held)] if held else None
        if action == "t" and pool.available:
            block = pool.take()
            assert block not in held
            content.pop(block, None)
            held.append(block)
        elif action == "s" and block is not None:
            pool.share(block)
            held.append(block)
        elif action == "r" and block is not None:
            held.remove(block)
            pool.release([block])
        elif action == "p" and block is not None and block not in content:
            digest = bytes([number])
            pool.publish(block, digest)
            if digest not in content.values():
                content[block] = digest
        elif action == "f":
            found = pool.find(bytes([number]))
            assert (found is None) == (bytes([number]) not in content.values())
            if found is not None:
                assert content[found] == bytes([number])
                pool.share(found)
                held.append(found)
        assert [pool.references(b) for b in range(4)] == [held.count(b) for b in range(4)]
        assert pool.used == len(set(held))


tokens = st.lists(st.integers(0, 2), min_size=4, max_size=8)
owners = st.tuples(st.sampled_from(["a", "b", 'a", "b']), st.sampled_from([None, "a", "null"]))


@given(tokens, tokens, owners, owners)
def test_names_are_equal_for_equal_beginnings_of_one_owner_alone(
    one: list[int], other: list[int], first: tuple[str, str | None], second: tuple[str, str | None]
) -> None:
    chains = Chain(*first, 2), Chain(*second, 2)
    for index in range(2):
        names = [
            chain.digest(index, lambda a, b, text=text: text[a:b])  # type: ignore[misc]
            for chain, text in zip(chains, (one, other), strict=True)
        ]
        stop = 2 * index + 2
        assert (names[0] == names[1]) == ((first, one[:stop]) == (second, other[:stop]))


def test_a_branch_goes_on_from_what_is_shared() -> None:
    one, other = list(range(8)), [0, 1, 2, 3, 9, 9, 9, 9]
    chain = Chain("a", None, 4)
    chain.digest(1, lambda a, b: one[a:b])
    branch = chain.branch(1)
    assert branch.digest(1, lambda a, b: other[a:b]) == Chain("a", None, 4).digest(1, lambda a, b: other[a:b])
