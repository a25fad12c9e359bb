"""Every type of Arrow goes through the stages with its values, or is refused by its column before the first row."""

import datetime
import decimal
import uuid
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kbtools as kb
from kbtools.errors import DataError

ONE = uuid.UUID(int=1)
INT64, TEXT = pa.int64(), pa.string()
CASES = Path(__file__).parents[3] / "shared" / "cases" / "outside"

ARRAYS = {
    "bool": pa.array([True, None, False]),
    **{f"{kind}": pa.array([1, None, 2], kind) for kind in (pa.int8(), pa.uint64(), pa.float16(), pa.float32())},
    "large_string": pa.array(["a", None, "b"], pa.large_string()),
    "string_view": pa.array(["a", None, "b" * 50], pa.string_view()),
    "binary": pa.array([b"a", None, b"b"]),
    "binary_view": pa.array([b"a", None, b"b"], pa.binary_view()),
    "fixed binary": pa.array([b"aa", None, b"bb"], pa.binary(2)),
    "null": pa.nulls(3),
    "dictionary": pa.array(["a", None, "b"]).dictionary_encode(),
    "dictionary of views": pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1], pa.uint8()), pa.array(["a", "b"], pa.string_view())
    ),
    "run ends of views": pa.RunEndEncodedArray.from_arrays(
        pa.array([1, 3], pa.int32()), pa.array(["a", None], pa.string_view())
    ),
    "run ends": pa.RunEndEncodedArray.from_arrays(pa.array([1, 3], pa.int32()), pa.array(["a", None])),
    "list": pa.array([[1], None, [2, 3]]),
    "large_list": pa.array([[1], None, [2, 3]], pa.large_list(INT64)),
    "fixed list": pa.array([[1, 2], None, [3, 4]], pa.list_(INT64, 2)),
    "list_view": pa.array([[1], None, [2, 3]], pa.list_view(INT64)),
    "large_list_view": pa.array([[1], None, [2, 3]], pa.large_list_view(INT64)),
    "struct": pa.array([{"x": 1}, None, {"x": None}]),
    "struct of views": pa.array([{"x": "a"}, None, {"x": None}], pa.struct([("x", pa.string_view())])),
    "list of views": pa.array([["a", None], None, []], pa.list_(pa.string_view())),
    "fixed list of views": pa.array([["a", "b"], None, ["c", "d"]], pa.list_(pa.string_view(), 2)),
    "decimal32": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("-2")], pa.decimal32(5, 2)),
    "decimal64": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("-2")], pa.decimal64(10, 2)),
    "decimal128": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("-2")], pa.decimal128(10, 2)),
    "decimal256": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("-2")], pa.decimal256(50, 2)),
    "date32": pa.array([datetime.date(2024, 1, 1), None, datetime.date(1900, 1, 1)]),
    "date64": pa.array([datetime.date(2024, 1, 1), None, datetime.date(1900, 1, 1)], pa.date64()),
    "time": pa.array([datetime.time(1, 2), None, datetime.time(3)], pa.time64("us")),
    "duration": pa.array([datetime.timedelta(1), None, datetime.timedelta(0)], pa.duration("us")),
    "timestamp": pa.array([1, None, 2], pa.timestamp("us", "UTC")),
    "bool8": pa.array([1, None, 0], pa.int8()).cast(pa.bool8()),
    "opaque": pa.ExtensionArray.from_storage(pa.opaque(TEXT, "x", "y"), pa.array(["a", None, "b"])),
}
BECOME = {
    "map": (
        pa.array([[("a", 1), ("b", None)], None, []], pa.map_(TEXT, INT64)),
        [[{"key": "a", "value": 1}, {"key": "b", "value": None}], None, []],
    ),
    "map of views": (
        pa.array([[("a", ["x"])], None, []], pa.map_(pa.string_view(), pa.list_(pa.string_view()))),
        [[{"key": "a", "value": ["x"]}], None, []],
    ),
    "uuid": (pa.array([ONE.bytes, None, ONE.bytes], pa.uuid()), [str(ONE), None, str(ONE)]),
    "tensor": (
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(6).reshape(3, 2)),
        [[0, 1], [2, 3], [4, 5]],
    ),
}
ALL = {**{name: (array, array.to_pylist()) for name, array in ARRAYS.items()}, **BECOME}
REFUSED = {
    "interval": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
    "union": pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
}


def arrow(path, array):
    """An Arrow file of three rows in two batches, the column between two others."""
    table = pa.Table.from_arrays(
        [pa.array(range(len(array))), array, pa.array([0.0] * len(array))], ["n", "c", "reward"]
    )
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table.slice(0, 1))
        writer.write_table(table.slice(1))


@pytest.mark.parametrize("name", ALL)
def test_a_column_of_any_type_keeps_its_values_through_stages(tmp_path, name):
    """Gathered in another order, some rows kept, saved and loaded again."""
    array, wanted = ALL[name]
    arrow(tmp_path / "x.arrow", array)
    ds = kb.load(str(tmp_path / "x.arrow"))
    assert ds.with_format("arrow")[:]["c"].to_pylist() == wanted
    mixed = kb.apply(ds, kb.Sample(random=3, seed=1), kb.Filter(where="reward >= 0"), kb.Sample(first=2))
    assert mixed.with_format("arrow")[:]["c"].to_pylist() == [wanted[n] for n in mixed["n"]]
    kb.save(mixed, tmp_path / "y.parquet")
    again = kb.load(str(tmp_path / "y.parquet")).with_format("arrow")[:]
    assert again["c"].to_pylist() == [wanted[n] for n in mixed["n"]]


@pytest.mark.parametrize("name", REFUSED)
def test_a_type_that_no_dataset_holds_is_refused_by_its_column(tmp_path, name):
    """Before the first row."""
    arrow(tmp_path / "x.arrow", REFUSED[name])
    with pytest.raises(DataError, match=r"x\.arrow: column 'c' has the type .*, which no dataset can hold"):
        kb.load(str(tmp_path / "x.arrow"))


@pytest.mark.parametrize("name", ["string_view", "list of views", "map"])
def test_parquet_with_such_columns_is_read(tmp_path, name):
    """Parquet keeps the types of Arrow beside its own."""
    array, wanted = ALL[name]
    pq.write_table(pa.table({"c": array, "l": [0, 1, 0]}), tmp_path / "x.parquet")
    assert kb.load(str(tmp_path / "x.parquet"))["c"][:] == wanted


def test_labels_of_other_columns_are_kept(tmp_path):
    """What `datasets` has noted of a column is lost for none but those whose type had to change."""
    features = datasets.Features({"c": datasets.Value("string_view"), "l": datasets.ClassLabel(names=["no", "yes"])})
    datasets.Dataset.from_dict({"c": ["a", "b"], "l": [0, 1]}, features=features).to_parquet(
        str(tmp_path / "x.parquet")
    )
    found = kb.load(str(tmp_path / "x.parquet")).features
    assert found == datasets.Features({"c": datasets.Value("string"), "l": features["l"]})


@pytest.mark.parametrize("save", [lambda ds, path: ds.save_to_disk(path), None])
def test_datasets_of_views_that_came_another_way_are_gathered(tmp_path, save):
    """A saved folder, and a dataset that a program hands over."""
    features = datasets.Features({"c": datasets.Value("string_view"), "m": {"x": datasets.Value("string_view")}})
    ds = datasets.Dataset.from_dict({"c": ["a", "b", "a"], "m": [{"x": "p"}, None, {"x": "q"}]}, features=features)
    if save:
        save(ds, str(tmp_path / "d"))
        ds = kb.load(str(tmp_path / "d"))
    kept = kb.apply(ds, kb.Sample(random=3, seed=1), kb.Filter(where="c in ('a', 'b')"))
    assert sorted(kept["c"][:]) == ["a", "a", "b"]
    kb.save(kept, tmp_path / "y.parquet")
    assert sorted(kb.load(str(tmp_path / "y.parquet"))["c"][:]) == ["a", "a", "b"]


def test_cases_11_and_12_dedup_of_views_and_maps(tmp_path):
    """As they came from outside."""
    for name in ("11-string-view-take/t_view.parquet", "12-small-unclear/t_map.parquet"):
        if not (CASES / name).is_file():
            pytest.skip("../shared/cases is not beside this checkout")
        ds = kb.load(str(CASES / name))
        kept = kb.apply(ds, kb.Dedup(key=("info.module_name",)), kb.Sample(random=2, seed=1))
        kb.save(kept, tmp_path / "y.parquet")
        assert kb.load(str(tmp_path / "y.parquet")).to_list() == kept.to_list()
