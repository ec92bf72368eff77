"""A data set in a real browser: its columns are chosen once the file is, and its report is looked over."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_axe import looked_over

pytestmark = [pytest.mark.slow, pytest.mark.browser]
ROWS = [("Where is my parcel? It was sent on Monday.", "parcel"), ("Mail me at ana@example.org", "contact"),
        ("Where is my parcel? It was sent on Monday!", "parcel"), ("Thank you so much", "thanks")]  # fmt: skip
CSV = "\n".join(["utterance,intent", *(f"{text},{label}" for text, label in ROWS)]).encode()

# The names beside the bars are all drawn, however narrow the page.
EVERY_NAME = """() => [...document.querySelectorAll("[data-chart-canvas]")].some(
    (canvas) => window.echarts?.getInstanceByDom(canvas)?.getOption().yAxis[0].axisLabel.interval === 0)"""


def test_from_a_table_to_a_version_without_some_lines(page: Page, base: Path) -> None:
    page.goto("/adapters/datasets/upload")
    page.get_by_label("Name").fill("desk-intents")
    page.get_by_label("Task").select_option("classification")
    file: Any = {"name": "intents.csv", "mimeType": "text/csv", "buffer": CSV}
    page.get_by_label("File").set_input_files(file)
    expect(page.get_by_label("Text", exact=True)).to_have_value("utterance")
    expect(page.get_by_label("Label", exact=True)).to_have_value("intent")
    expect(page.get_by_role("region", name="First rows")).to_contain_text("ana@example.org")
    assert looked_over(page) == []
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("heading", name="desk-intents")).to_be_visible()
    expect(page.get_by_role("heading", name="Label balance")).to_be_visible()
    page.wait_for_function(EVERY_NAME)
    assert looked_over(page) == []
    page.get_by_role("form", name="Drop lines: The same as an earlier line").get_by_label("Line 3").check()
    page.get_by_role("button", name="Drop what is ticked").first.click()
    expect(page.get_by_text("1 line dropped")).to_be_visible()
    page.get_by_role("link", name="Examples").click()
    expect(page.get_by_role("heading", name="Line 3")).to_be_visible()
    assert looked_over(page) == []
