"""Cards: golden text, the metadata that the Hub reads, and what of an older README is kept."""

import datasets
import pytest
import yaml

from kbtools.card import document, metadata
from kbtools.card.document import YOURS, Card, render
from kbtools.card.facts import gather
from kbtools.card.metadata import SplitSize
from kbtools.data.io.source import Source
from kbtools.errors import DataError
from kbtools.lineage import Lineage, StageRecord
from tests.rows import evals

SHARDS = {"train": ["data/train-00000-of-00001-aaaaaaaa.parquet"]}


def lineage(**changes):
    """Two stages that ran, one with a prompt and a model, one that dropped and failed rows."""
    fields = {
        "source": Source(dataset="you/rollouts", split="train", revision="a" * 40),
        "stages": (
            {"stage": "filter", "where": "reward > 0.85"},
            {"stage": "judge", "judge": "static", "prefix": "j_"},
            {"stage": "describe", "model": "some/model", "temperature": 0.5},
        ),
        "records": (
            StageRecord(
                stage="filter",
                distribution="kbtools",
                version="1",
                rows_in=9,
                rows_out=3,
                dropped={"not reward > 0.85": 5, "null | NaN": 1},
            ),
            StageRecord(
                stage="judge",
                distribution="kbtools",
                version="1",
                rows_in=3,
                rows_out=3,
                facts={"verdicts": {"difficulty": {"low": 2}}},
            ),
            StageRecord(
                stage="describe",
                distribution="other",
                version="2",
                rows_in=3,
                rows_out=3,
                failed={"no reply": 1},
                notes=("one row is empty",),
                prompts={"describe@v1": "b" * 64},
            ),
        ),
        "versions": {"python": "3.11", "kbtools": "1", "datasets": "5"},
    }
    return Lineage(**{**fields, **changes})


def card(**changes):
    """A card of three rows with licences of their own."""
    ds = evals([0.9, 1.0, 1.5])
    ds = ds.add_column("difficulty", ["low", "low", "high"]).add_column("licenses", [["MIT"], ["GPL-3.0"], []])
    fields = {
        "repo": "me/x",
        "config": "default",
        "facts": gather({"train": ds}, {"difficulty"}),
        "lineage": lineage(),
        "files": SHARDS,
        "sizes": {"train": SplitSize(3, 1000, 400)},
        "lineage_file": "kbtools-lineage.json",
        "license": "mit",
    }
    return Card(**{**fields, **changes})


def test_golden_card(file_regression):
    """The whole README of a first push."""
    file_regression.check(render(card(), "", []), extension=".md")


def test_metadata_is_what_the_clients_read():
    """datasets parses our head, and finds the shards and the row counts there."""
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    head, _ = metadata.split_front(render(card(), "", []))
    data = DatasetCardData(**head)
    assert MetadataConfigs.from_dataset_card_data(data)["default"]["data_files"][0]["path"] == SHARDS["train"]
    info = DatasetInfosDict.from_dataset_card_data(data)["default"]
    assert info.splits["train"].num_examples == 3
    assert info.features == card().facts.features
    assert head["license"] == "mit"
    assert head["source_datasets"] == ["you/rollouts"]
    assert head["size_categories"] == ["n<1K"]


def test_users_text_metadata_and_other_configurations_survive():
    """Between the marks everything stays; keys that are not ours stay; another configuration's section stays."""
    first = render(card(), "", [])
    edited = first.replace(YOURS[0], f"{YOURS[0]}\nMy *words*: | < > {{{{ x }}}}").replace(
        "license: mit", "license: mit\npretty_name: Mine"
    )
    other = render(card(config="extra", lineage_file="extra/kbtools-lineage.json"), edited, [])
    assert "My *words*: | < > {{ x }}" in other
    assert "# Mine" in other
    head, text = metadata.split_front(other)
    assert [entry["config_name"] for entry in head["configs"]] == ["default", "extra"]
    assert head["size_categories"] == ["n<1K"]
    assert metadata.rows_of(head) == 6
    assert document.section(card()) in text
    assert render(card(config="extra", lineage_file="extra/kbtools-lineage.json"), other, []) == other


def test_readme_of_somebody_else_becomes_the_users_part():
    """Nothing that a person wrote is lost with the first push."""
    card_text = render(card(), "---\ntags: [fine]\nlanguage: de\n---\n# Theirs\n\nText.\n", [])
    assert "# Theirs\n\nText." in card_text.split(YOURS[1])[0]
    head, _ = metadata.split_front(card_text)
    assert head["tags"] == ["fine", "kbtools"]
    assert head["language"] == "de"


def test_configuration_beside_files_that_no_card_lists_spells_those_out():
    """A repository is loaded by file names until a configuration is listed: the files must not become invisible."""
    extra = card(config="extra", files={"train": ["extra/train-00000-of-00001-aaaaaaaa.parquet"]})
    head, _ = metadata.split_front(render(extra, "", ["data/train-00000-of-00001.parquet", "data/notes.txt"]))
    assert head["configs"][0] == {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}


def test_only_shards_of_the_same_configuration_are_replaced():
    """Files of other names, of other folders, of other splits, and those that another configuration lists stay."""
    head = {
        "configs": [
            {"config_name": "default", "data_files": [{"split": "test", "path": "data/test-*"}]},
            {"config_name": "b", "data_files": "data/mine-*"},
        ]
    }
    names = [
        "data/train-00000-of-00001.parquet",
        "data/test-00000-of-00001-0123456789abcdef.parquet",
        "data/mine-00000-of-00001.parquet",
        "data/strange-00000-of-00001.parquet",
        "data/train.parquet",
        "other/train-00000-of-00001.parquet",
    ]
    found = metadata.replaced_files(head, "default", dict.fromkeys(names), {"train": [], "mine": []})
    assert found == set(names[:2])


def test_head_that_is_no_yaml_is_an_error_that_says_so():
    """It would otherwise be lost."""
    with pytest.raises(DataError, match="not YAML"):
        render(card(), "---\na: [\n---\n", [])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"license": "unknown"}, "The licence of this dataset is unknown"),
        ({"lineage": Lineage(derived_from_memory=True)}, "cannot be repeated from its record"),
        ({"lineage": lineage(source=Source(dataset="d/x.jsonl", sha256="c" * 64))}, "local file or folder (`x`)"),
        ({"lineage": lineage(source=Source(dataset="y/x", revision="d" * 40, cached=True))}, "from a local cache"),
        ({"lineage": lineage(source=Source(dataset="y/x", revision="d" * 40, limit=5))}, "the first 5 rows"),
    ],
)
def test_card_says_what_is_not_known(changes, text):
    """Unknown licences, sources that nobody else has, and cached or partial ones are named."""
    assert text in document.section(card(**changes))


def test_numbers_of_nothing_but_nulls_are_said_to_be_none():
    """No figure is made up."""
    ds = datasets.Dataset.from_dict({"x": [None, None]}, features=datasets.Features({"x": datasets.Value("float64")}))
    assert gather({"train": ds}, []).numbers["x"] == {
        "min": "none",
        "mean": "none",
        "median": "none",
        "max": "none",
        "nulls": "2",
    }
    assert yaml.safe_load(metadata.dump_front({"a": 1}).strip("-\n")) == {"a": 1}
