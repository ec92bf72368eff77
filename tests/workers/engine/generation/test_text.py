"""Text on its way out: whole characters, stop strings across pieces, tokens beside the text they make."""

from __future__ import annotations

import codecs

from hypothesis import given
from hypothesis import strategies as st

from workers.engine.generation.text import StopFilter, TextStream, Transcript
from workers.engine.protocol import TokenLogprob

BYTES = [bytes([value]) for value in range(256)]


def told(index: int) -> TokenLogprob:
    return TokenLogprob(index, b"", -float(index))


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
        assert not any(word in shown for word in stops)  # no stop string is ever shown
    if not stop.hit:
        assert shown + stop.flush() == text
    else:
        first = min(text.find(word) for word in stops if word in text)
        ends = [text.find(word) + len(word) for word in stops if word in text]
        assert first <= len(shown) <= min(ends)
        assert text.startswith(shown)


CHARACTERS = st.text(max_size=12).map(lambda text: text.encode("utf-8", "ignore"))


@given(st.lists(st.one_of(CHARACTERS, st.binary(max_size=6)), max_size=12))
def test_a_stream_shows_what_decoding_all_bytes_shows(parts: list[bytes]) -> None:
    """A cut character at the very end is dropped, everything else is there."""
    stream = TextStream(parts)
    shown = "".join(stream.push(token) for token in range(len(parts)))
    expected = b"".join(parts).decode("utf-8", errors="replace")
    assert shown == (expected[:-1] if stream.unfinished else expected)


@given(st.lists(st.one_of(CHARACTERS, st.binary(max_size=3)), min_size=1, max_size=20), st.data())
def test_tokens_travel_with_the_text_they_make(parts: list[bytes], data: st.DataObject) -> None:
    stops = data.draw(st.lists(st.text(max_size=3), max_size=2))
    transcript = Transcript(TextStream(parts), stops)
    text, records, tokens = "", [], 0
    for token in range(len(parts)):
        transcript.push(token, told(token))
        if transcript.stopped:
            break
        if transcript.waiting:
            piece = transcript.take()
            text, tokens, records = text + piece.text, tokens + piece.tokens, [*records, *piece.logprobs]
            decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            assert text.startswith(decoder.decode(b"".join(parts[: len(records)])))
    piece = transcript.take_rest()
    text, tokens, records = text + piece.text, tokens + piece.tokens, [*records, *piece.logprobs]
    assert tokens == token + 1
    assert [record.token for record in records] == list(range(len(records)))
    if not transcript.stopped:
        assert len(records) == len(parts)


def test_a_character_of_several_tokens_is_one_piece() -> None:
    transcript = Transcript(TextStream(BYTES), [])
    for value in "é".encode()[:1]:
        transcript.push(value, told(value))
    assert not transcript.waiting
    transcript.push("é".encode()[1], told(1))
    piece = transcript.take()
    assert (piece.text, piece.tokens, len(piece.logprobs)) == ("é", 2, 2)


def test_a_stop_string_is_neither_shown_nor_told() -> None:
    transcript = Transcript(TextStream([b"yes", b"\n", b"\n", b"no"]), ["\n\n"])
    transcript.push(0, told(0))
    assert transcript.take().text == "yes"
    transcript.push(1, told(1))
    assert not transcript.waiting
    transcript.push(2, told(2))
    assert transcript.stopped
    piece = transcript.take_rest()
    assert (piece.text, piece.tokens, piece.logprobs) == ("", 2, ())


def test_an_end_token_is_counted_but_not_told() -> None:
    transcript = Transcript(TextStream([b"yes", b""]), [])
    transcript.push(0, told(0))
    transcript.push(1, told(1))
    piece = transcript.take_rest(control=True)
    assert (piece.text, piece.tokens, [record.token for record in piece.logprobs]) == ("yes", 2, [0])
