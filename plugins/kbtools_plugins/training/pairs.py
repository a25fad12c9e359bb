"""The dataset of pairs that a stage has put together, and what becomes of the rows that are in none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

from pydantic import JsonValue

import kbtools as kb
from kbtools.data.conversations.fields import REASONING_FIELDS
from kbtools.data.table import keep
from kbtools_plugins.conversations import ReasoningForm

if TYPE_CHECKING:
    from datasets import Dataset


def messages_feature(form: ReasoningForm) -> object:
    """A list of messages, with a field for reasoning where it has one of its own."""
    import datasets

    text = datasets.Value("string")
    fields = ("role", "content", *([form] if form in REASONING_FIELDS else []))
    return datasets.List(dict.fromkeys(fields, text))


def paired(
    stage: kb.Stage,
    ds: Dataset,
    columns: Mapping[str, Sequence[object]],
    used: Set[int],
    facts: Mapping[str, JsonValue],
) -> kb.Result:
    """The pairs as a dataset; rows in no pair are dropped, the others have become part of pairs."""
    import datasets
    import numpy as np

    features = stage.output_features(ds.features)
    made = datasets.Dataset.from_dict(dict(columns), features=features)
    made._fingerprint = stage.fingerprint(ds, "pairs")
    in_pair = np.zeros(ds.num_rows, bool)
    in_pair[sorted(used)] = True
    dropped = kb.Drop(keep(ds, ~in_pair, stage.fingerprint(ds, "unpaired")), "in no pair")
    return kb.Result(made, dropped=(dropped,), merged=len(used) - made.num_rows, facts=facts)
