"""`kbtools report` of a dataset on the Hub."""

import pytest


@pytest.mark.slow
def test_report_of_a_pushed_dataset_shows_its_pipeline(client, rows):
    """From the lineage that the push put beside the rows; a dataset without one is shown without a pipeline."""
    client.upload("lab/src", rows)
    pushed = client.kbtools(
        "apply", "filter", "--where", "reward > 0.5", "--dataset", "lab/src", "--push", "--repo", "me/good",
        "--license", "mit",
    )  # fmt: skip
    assert pushed.code == 0, pushed.text
    texts = []
    for repo, file in (("me/good", "good.html"), ("lab/src", "src.html")):
        done = client.kbtools("report", repo, "--resamples", "0", "--out", file)
        assert done.code == 0, done.text
        texts.append((client.folder / file).read_text(encoding="utf-8"))
    assert "6 dropped: <bdi>not reward &gt; 0.5</bdi>" in texts[0]
    assert "No stage is recorded" in texts[1]
