"""The page as a file: what may run in it, what is in it, and how large it is."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import datasets
import pytest

from kbtools.lineage import Lineage
from kbtools.report import page
from tests.report.material import ATTACKS, analysed, hostile, hostile_lineage, judged, report_file


class Elements(HTMLParser):
    """The start tags of a page, the content of its scripts, and its policy."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.policy = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"]
        if tag == "script":
            self.scripts.append([dict(attrs), ""])

    def handle_data(self, data):
        if self.tags[-1:] and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1][1] += data


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    file = report_file(hostile(), tmp_path_factory.mktemp("page"), hostile_lineage(), title=ATTACKS[1])
    return file.read_text(encoding="utf-8")


def test_only_the_script_of_the_page_may_run(hostile_page):
    """Its digest is in the policy; every other script is inert data in base64."""
    found = Elements(hostile_page)
    running = [text for attributes, text in found.scripts if "type" not in attributes]
    assert len(running) == 1
    digest = base64.b64encode(hashlib.sha256(running[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in found.policy
    assert found.policy.startswith("default-src 'none';")
    assert "unsafe" not in found.policy
    inert = [text for attributes, text in found.scripts if attributes.get("type") == "application/octet-stream"]
    assert len(inert) == len(found.scripts) - 1
    assert all(re.fullmatch(r"[A-Za-z0-9+/=]+", text) for text in inert)


def test_hostile_names_make_no_elements(hostile_page):
    """The only elements are those of the template and the charts, none of them with a handler or a foreign address."""
    found = Elements(hostile_page)
    assert not {tag for tag, _ in found.tags} & {"img", "iframe", "object", "b", "base", "form action"}
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "style"]
    addresses = [attributes["href"] for _, attributes in found.tags if "href" in attributes]
    assert all(address.startswith(("#", "data:,")) for address in addresses)


def test_hidden_characters_are_visible(hostile_page):
    """A right-to-left mark in a column's name cannot reorder the page."""
    assert "\u202e" not in hostile_page
    assert "[U+202E]name" in hostile_page


def test_scripts_of_the_page_turn_no_text_into_markup():
    """Not one of the ways there are."""
    script = "\n".join(page.asset(name) for name in page.SCRIPTS)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser", script
    )
    assert "</script" not in script.lower()
    assert "<!--" not in script


def test_same_rows_give_the_same_file(tmp_path):
    """A report can be compared with another."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (report_file(judged(20), tmp_path / name).read_bytes() for name in "ab")
    assert first == second


def test_rows_are_packed_small(tmp_path):
    """Five kilobytes of code a row become less than two."""
    code = [f"import torch\n# {n}\n" + "x = tl.load(ptr + offs, mask=mask)\n" * 140 for n in range(200)]
    file = report_file(datasets.Dataset.from_dict({"python_code": code}), tmp_path)
    assert file.stat().st_size < 200 * 2_000


def section(text, name):
    found = re.search(rf'<section id="{name}".*?</section>', text, re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])) if found else None


def test_lengths_and_agreement_of_the_pipeline_are_shown(tmp_path):
    """Percentiles, the cost of limits, the lengths that cover the rows; coefficients by group and the rows apart."""
    ds, lineage = analysed(tmp_path)
    text = report_file(ds, tmp_path, lineage).read_text()
    lengths = section(text, "stage-lengths")
    facts = lineage.records[0].facts
    assert "measured by stage 1 (lengths) of the pipeline, on 120 rows" in lengths
    chosen = facts["budget"]["recommendation"]["limit"]["seq_len"]
    assert f"recommended seq_len: {chosen:,} because" in lengths
    assert f"conversation 120 {facts['parts']['conversation']['min']}" in lengths
    assert f"{facts['parts']['conversation']['total']:,}" in lengths
    assert re.search(r"99\.5% \d+ [\d,]+ 0 ", lengths)
    assert re.search(rf'<tr class="chosen"><th scope="row"><bdi>{chosen:,}<', text)
    agreement = section(text, "stage-agreement")
    assert agreement.count("together") == 2
    assert "rows that differ most" in agreement


def test_sections_that_were_not_measured_are_left_out(tmp_path):
    """No empty headings."""
    text = report_file(judged(20), tmp_path).read_text()
    assert section(text, "stage-lengths") is None


def test_large_report_says_how_to_make_it_smaller():
    """No row is left out in silence: the reader hears the size and how many rows would fit."""
    report = page.make(judged(1_000), Lineage(), page.ReportOptions("T", {}, resamples=0))
    assert page.too_large(report, page.MOST_BYTES) is None
    warning = page.too_large(report, 2 * page.MOST_BYTES)
    assert "all 1,000 rows" in warning
    assert "--limit 475" in warning


def test_splits_stand_in_a_column(tmp_path):
    """All rows together, each with the name of its split."""
    splits = datasets.DatasetDict({"train": judged(8), "validation": judged(2)})
    report = page.make(splits, hostile_lineage(), page.ReportOptions("T", {}, resamples=0))
    assert report.rows == 10
    assert [found.path for found in report.columns][:2] == ["info.module_name", "split"]
    assert report.key == ""  # the ids of one split stand in the other as well


def test_dataset_without_rows_has_a_page(tmp_path):
    """Nothing to draw is not an error."""
    text = report_file(judged(3).select([]), tmp_path).read_text()
    assert "No column varies." in text


def test_dataset_of_no_known_layout_has_a_page(tmp_path):
    """Its columns are shown as they are."""
    ds = datasets.Dataset.from_dict({"x": [1.5, 2.5, None], "blob": [b"a", b"b", None], "deep": [[[1]], [], None]})
    text = report_file(ds, tmp_path).read_text()
    assert "not measured: correlations need two different columns" in text
    assert "No column of this dataset holds modules" in text
