"""Text on its way out: stop strings across pieces."""

from hypothesis import given
from hypothesis import strategies as st

from workers.engine.requests import StopFilter


def test_it_works() -> None:
    stop = StopFilter(["END"])
    assert [stop.push(piece) for piece in ("one E", "xtra E", "N", "D more")] == ["one ", "Extra ", "", ""]
    assert stop.hit


def test_without_stop_strings_everything_passes_at_once() -> None:
    stop = StopFilter([])
    assert stop.push("a") == "a"
    assert stop.flush() == ""


@given(st.text("ab!", max_size=40), st.lists(st.text("ab!", min_size=1, max_size=4), max_size=3), st.data())
def test_pieces_give_what_the_whole_gives(text: str, stops: list[str], data: st.DataObject) -> None:
    stop = StopFilter(stops)
    shown = ""
    rest = text
    while rest and not stop.hit:
        cut = data.draw(st.integers(1, len(rest)))
        shown += stop.push(rest[:cut])
        rest = rest[cut:]
        positions = [shown.find(word) for word in stops]
        assert all(position < 0 for position in positions)  # no stop string is ever shown
    if not stop.hit:
        assert shown + stop.flush() == text
    else:
        ends = [text.find(word) + len(word) for word in stops if word in text]
        assert len(shown) <= min(ends)
        assert text.startswith(shown)
