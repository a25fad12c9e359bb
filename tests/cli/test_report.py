"""`kbtools report`: a file that says how the rows were made."""

from pathlib import Path

import pytest

from kbtools.data.io.save import lineage_file


@pytest.fixture
def judged(cli) -> Path:
    """A file with a lineage of two stages."""
    done = cli("apply", "filter", "--where", "reward > 0.5", "dedup", "--dataset", "sample", "--out", "made.parquet")
    assert done.code == 0, done.err
    return Path("made.parquet")


def test_report_of_a_file_shows_its_pipeline(cli, judged):
    """The stages with their rows, from the record beside the file."""
    done = cli("report", judged, "--resamples", "0")
    assert done.code == 0, done.err
    assert "wrote 49 rows to report.html" in done.out
    text = Path("report.html").read_text(encoding="utf-8")
    assert "74 dropped: <bdi>not reward &gt; 0.5</bdi>" in text
    assert "47 dropped: <bdi>worse than the best row of its key</bdi>" in text


def test_part_of_the_rows_says_that_it_is_one(cli, judged):
    """--limit shows fewer rows than the pipeline left."""
    cli("report", judged, "--limit", "5", "--resamples", "0")
    text = " ".join(Path("report.html").read_text(encoding="utf-8").split())
    assert "The pipeline left 49 rows; this report shows 5 of them." in text


def test_rows_without_a_lineage_have_a_report(cli, file):
    """It says that no stage is recorded."""
    assert cli("report", file, "--resamples", "0").code == 0
    assert "No stage is recorded" in Path("report.html").read_text(encoding="utf-8")


def test_broken_lineage_is_an_error(cli, judged):
    """Not a report without a pipeline."""
    lineage_file(judged).write_text("{")
    done = cli("report", judged)
    assert done.code == 2
    assert "made.parquet.lineage.json is not valid JSON" in done.err


def test_figures_are_written_for_a_paper(cli, file):
    """PNG and SVG of every chart."""
    done = cli("report", file, "--resamples", "0", "--plots", "figures")
    assert done.code == 0, done.err
    names = {path.name for path in Path("figures").iterdir()}
    assert {"distributions-reward.png", "distributions-reward.svg"} <= names


def test_name_of_the_file_is_checked_first(cli, file):
    """Before any work is done."""
    done = cli("report", file, "--out", "report.pdf")
    assert (done.code, "ends in .html" in done.err) == (2, True)


def test_report_of_the_sample_needs_no_network(cli):
    """Its name could be one on the Hub, and is not looked for there."""
    done = cli("report", "sample", "--limit", "3", "--resamples", "0")
    assert done.code == 0, done.err
