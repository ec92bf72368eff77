"""What goes to the device: every row in one LoRA tile, every key where the kernels look for it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models_zoo.llm.batch import Segment
from models_zoo.llm.cuda.pack import lora_tiles, pack


def section(packed, name):
    start, shape = packed.extent.sections()[name]
    return (
        packed.data[start:]
        if name == "tables"
        else packed.data[start : start + int(np.prod(shape))].reshape(shape)
    )


def test_a_decode_step_is_padded_to_its_bucket() -> None:
    packed = pack([Segment([7 + i], start=i, blocks=[i, 9], slot=i // 2) for i in range(3)], 16)
    assert packed.decode
    assert packed.rows == 3
    assert section(packed, "tokens").tolist() == [7, 8, 9, 0]
    assert section(packed, "positions").tolist() == [0, 1, 2, -1]
    assert section(packed, "slots").tolist() == [0, 0, 1, 0]
    assert section(packed, "bases").tolist() == [0, 2, 4, -1]
    assert section(packed, "tables").tolist() == [0, 9, 1, 9, 2, 9]
    assert section(packed, "paged").tolist() == [
        [0, 1, 2, 0],
        [1, 1, 1, 0],
        [1, 2, 3, 0],
        [0, 2, 4, 0],
        [1, 2, 3, 0],
    ]
    assert packed.extent.tile == 1  # most runs are of one row
    assert section(packed, "tiles").tolist() == [[0, 0, 1, 0], [0, 1, 2, 3], [1, 1, 1, 1]]


def test_rows_of_few_adapters_are_in_tiles() -> None:
    packed = pack([Segment([7], start=i, blocks=[i], slot=1 + i // 12) for i in range(24)], 16)
    assert packed.extent.tile == 16
    assert section(packed, "tiles").tolist() == [[1, 2], [0, 12], [12, 12]]
    base = pack([Segment([7], blocks=[i]) for i in range(24)], 16)
    assert (base.extent.tile, base.extent.tiles, base.extent.lora) == (16, 2, False)


def test_chunks_and_whole_texts_have_tiles_of_their_own() -> None:
    segments = [
        Segment(list(range(20)), start=16, blocks=[4, 5, 6]),
        Segment([1] * 18, bidirectional=True),
        Segment([2] * 3),
    ]
    packed = pack(segments, 16)
    assert not packed.decode
    assert not packed.extent.lora
    # first row, rows, keys that the first row sees, base, keys there are
    assert section(packed, "paged").T.tolist() == [[0, 16, 17, 0, 36], [16, 4, 33, 0, 36]]
    assert section(packed, "own").T.tolist() == [[20, 16, 18, 20, 18], [36, 2, 18, 20, 18], [38, 3, 1, 38, 3]]
    assert section(packed, "positions").tolist() == [*range(16, 36), *range(18), *range(3)]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=90), st.sampled_from([1, 16, 64]))
def test_tiles_cover_every_row_once(slots: list[int], size: int) -> None:
    rows = np.array(slots, np.int32)
    seen = []
    for slot, first, count in lora_tiles(rows, size, lora=True).T.tolist():
        assert 1 <= count <= size
        assert (rows[first : first + count] == slot).all()
        seen += range(first, first + count)
    assert seen == list(range(len(slots)))
