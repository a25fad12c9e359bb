"""The page of `kbtools label` in a real Chromium: keys, the hidden verdict, and a server that goes away."""

from __future__ import annotations

from pathlib import Path

import pytest

import kbtools as kb
from kbtools.data.labels import read_labels
from tests.cli.test_label import labelling
from tests.report.browser import chromium

pytestmark = pytest.mark.slow


def test_a_reader_labels_with_the_keyboard(tmp_path):
    """Each key labels and goes on; equal texts share a label; the verdict comes when it is asked for."""
    ds = kb.load("sample", limit=4)
    kb.save(ds.add_column("difficulty", ["low", "high", "low", "medium"]), "judged.parquet")
    with chromium(tmp_path / "profile") as browser:
        with labelling("judged.parquet", "--column", "difficulty") as url:
            browser.driver.get(url)
            browser.until(lambda: browser.js("return document.documentElement.dataset.ready"))
            assert browser.texts("#progress") == ["0 of 4 labelled"]
            assert len(browser.all("#texts .code")) == 2
            assert not [asked for asked in browser.requests() if asked.endswith("verdict")]
            browser.press("3")
            browser.until(lambda: browser.js("return document.documentElement.dataset.row") == "1")
            assert browser.texts("#verdict") == [""]
            browser.press("v")
            browser.until(lambda: browser.texts("#verdict") == ["high"])
            browser.press("1")
            browser.until(lambda: browser.texts("#progress") == ["2 of 4 labelled"])
            browser.until(lambda: browser.js("return document.documentElement.dataset.row") == "2")
            browser.press("\ue012")  # arrow left
            browser.until(lambda: browser.js("return document.documentElement.dataset.row") == "1")
            assert browser.js("return document.querySelector('[aria-pressed=true]').firstChild.data") == "low"
            browser.press("u")
            browser.until(lambda: browser.texts("#progress") == ["1 of 4 labelled"])
            assert browser.complaints() == []
        browser.press("2")
        browser.until(lambda: browser.js("return !document.getElementById('trouble').hidden"))
        assert "ended" in browser.texts("#trouble")[0]
    question, values = read_labels(Path("judged-difficulty.labels.jsonl"))
    assert question.values == ("low", "medium", "high")
    assert list(values.values()) == ["high"]
