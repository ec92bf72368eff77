"""The pictures of benches."""

from xml.etree import ElementTree

import pytest

from tests.bench.curves import Panel, svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_line_goes_through_its_values(logarithmic):
    panel = Panel(
        "cost <each>", "accounts", [10, 100, 1000], {"a & b": [5.0, 10.0, 20.0], "c": [1, 1, 1]}, logarithmic
    )
    whole = ElementTree.fromstring(svg([panel, panel], "How it grows"))
    assert whole.attrib["aria-label"] == "How it grows"
    lines = [one.attrib["points"].split() for one in whole.iter(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [3, 3, 3, 3]
    across, upwards = zip(*(map(float, point.split(",")) for point in lines[0]), strict=True)
    assert (across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)) is logarithmic
    floor = upwards[0] + (upwards[0] - upwards[1])  # 5 lies as far above 0 as 10 above 5
    assert floor - upwards[2] == pytest.approx(4 * (floor - upwards[0]), abs=0.5)
    told = [one.text for one in whole.iter(f"{SVG}text")]
    assert {"cost <each>", "accounts", "a & b", "c", "1,000", "20"} <= set(told)
