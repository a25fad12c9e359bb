"""Splits by the rule: groups in the order of their digests, each where it brings a split nearer to its size."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kbtools as kb
from kbtools_plugins import key_parts, split_groups, split_keys

FEATURES = datasets.Features(
    {
        "name": datasets.Value("string"),
        "number": datasets.Value("float64"),
        "kind": datasets.Value("int32"),
        "level": datasets.Value("string"),
    }
)
ROW = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b", "c", "d", "ä", "", "e\0f"]) | st.text("xyz", max_size=2),
        "number": st.sampled_from([0.0, -0.0, 1.5, 7.25, -2.0, 3.0]),
        "kind": st.integers(-2, 8),
        "level": st.sampled_from(["low", "high", None]),
    }
)


def groups_of(rows: list[dict[str, Any]], keys: tuple[str, ...]) -> list[str]:
    """The group of every row: the least value of the first key among all rows that are connected with it."""
    together = [{place} for place in range(len(rows))]
    for one, row in enumerate(rows):
        for other in range(one):
            if any(row[key] == rows[other][key] for key in keys) and together[one] is not together[other]:
                together[one] |= together[other]
                for member in together[one]:
                    together[member] = together[one]
    equal = [row[keys[0]] + 0.0 if len(keys) == 1 and keys[0] == "number" else row[keys[0]] for row in rows]
    texts = [str(value) for value in equal]  # of one key, -0.0 is 0.0
    return [min((texts[member] for member in some), key=str.encode) for some in together]


def held_out(rows: list[dict[str, Any]], groups: list[str], level: str | None, stage: kb.Split) -> dict[str, set[str]]:
    """The groups of each split but train."""
    sizes, strata = Counter(groups), {}
    for group in sizes:
        found = Counter(row[level] if level else None for row, own in zip(rows, groups, strict=True) if own == group)
        strata[group] = min(found, key=lambda value: (-found[value], value is not None, value or ""))
    free = sorted(sizes, key=lambda group: hashlib.sha256(f"{stage.seed}\0{group}".encode()).digest())
    free.sort(key=lambda group: (strata[group] is not None, strata[group] or ""))
    totals: Counter[Any] = Counter()
    for group in free:
        totals[strata[group]] += sizes[group]
    wanted = {"validation": stage.validation, "test": stage.test}
    taken, chosen = {name: share for name, share in wanted.items() if share}, {}
    for left, (name, share) in enumerate(taken.items()):
        spare, short, own, seen = len(free) - (len(taken) - left), 0.0, [], set()
        for group in free:
            if strata[group] not in seen:
                seen.add(strata[group])
                short += share * totals[strata[group]]
            if len(own) < spare and abs(short - sizes[group]) < abs(short):
                own.append(group)
                short -= sizes[group]
        chosen[name] = set(own or sorted(free, key=sizes.__getitem__)[:1])
        free = [group for group in free if group not in chosen[name]]
    return chosen


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(ROW, min_size=1, max_size=30),
    keys=st.sampled_from([("name",), ("number",), ("kind",), ("name", "kind"), ("number", "name"), ("kind", "level")]),
    level=st.sampled_from([None, "level"]),
    test=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 3),
    few=st.booleans(),
)
def test_every_row_is_where_the_rule_puts_it(
    tmp_path: Path,
    rows: list[dict[str, Any]],
    keys: tuple[str, ...],
    level: str | None,
    test: float,
    seed: int,
    few: bool,
) -> None:
    """Of keys of any type, one or several, with strata or without, however few rows are worked on at a time."""
    rows = [row for row in rows if all(row[key] is not None for key in keys)] or [
        {"name": "a", "number": 1.0, "kind": 1, "level": "low"}
    ]
    stage = kb.Split(group_by=keys, stratify=level, validation=0.2, test=test, seed=seed)
    ds = datasets.Dataset.from_list(rows, features=FEATURES)
    groups = groups_of(rows, keys)
    if len(set(groups)) < 2 + bool(test):
        return
    held = held_out(rows, groups, level, stage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        if few:
            patch.setattr(key_parts, "PART_ROWS", 3)
            patch.setattr(split_keys, "_ROWS", 2)
            patch.setattr(split_groups, "_AT_ONCE", 2)
        done = stage.run(ds)
    of_group = {group: name for name, some in held.items() for group in some}
    expected: dict[str, list[str]] = {"train": [], **{name: [] for name in held}}
    for row, group in zip(ds.to_list(), groups, strict=True):
        expected[of_group.get(group, "train")].append(repr(row))
    assert isinstance(done.dataset, datasets.DatasetDict)
    assert {name: [repr(row) for row in part.to_list()] for name, part in done.dataset.items()} == expected
    sizes: Any = done.facts["splits"]
    assert {name: size["groups"] for name, size in sizes.items()} == {
        "train": len(set(groups)) - len(of_group),
        **{name: len(some) for name, some in held.items()},
    }


@pytest.mark.parametrize(
    "kind",
    ["int8", "uint64", "float32", "bool", "string", "large_string", "binary", "timestamp[us, tz=UTC]", "date32",
     "decimal128(10, 2)", "duration[s]", "time64[us]"],
)  # fmt: skip
def test_columns_of_any_single_values_can_be_keys_and_strata(kind: str) -> None:
    """Each value is a group of its own, and each a stratum."""
    feature = datasets.Value(kind)
    numbers = pa.array([0, 1] if kind == "bool" else range(20), pa.int64())
    if kind.endswith("string") or kind == "binary":
        numbers = numbers.cast(pa.string())
    narrow = {"date32": pa.int32(), "decimal128(10, 2)": pa.int8()}
    values = numbers.cast(narrow.get(kind, numbers.type)).cast(feature.pa_type)
    table = pa.table({"key": pa.concat_arrays([values, values])})
    ds = datasets.Dataset(table)
    done = kb.Split(group_by=("key",), stratify="key", validation=0.4).run(ds)
    assert done.facts["shared_groups"] == 0
    sizes: Any = done.facts["splits"]
    assert sum(size["groups"] for size in sizes.values()) == len(values)
    assert sum(sum(size["strata"].values()) for size in sizes.values()) == 2 * len(values)
