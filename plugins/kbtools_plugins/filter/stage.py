"""The stage `filter`; its expression language is in `expression`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import kbtools as kb
from kbtools.data.table import batches, keep, row_name, rows_text
from kbtools_plugins.filter.expression import Expression

if TYPE_CHECKING:
    from datasets import Dataset, Features


class Filter(kb.Stage):
    """Keep the rows for which an expression over the columns is true.

    Nothing of an expression is executed as Python; it is checked against the types of the columns before the first row,
    and then evaluated on whole columns.

        kbtools apply filter --where "reward > 0.85 and info.module_name != 'Net'" --dataset sample

    What an expression may say:

        reward, info.module_name        a column; nested columns are written with dots
        col('my column')                a column whose name is not a Python name
        0.85, 'text', true, false       a number, a text, a truth value
        == != < <= > >=                 comparisons; 0.5 < reward <= 1 is reward > 0.5 and reward <= 1
        x in ('low', 'high'), not in    one of a list of values
        x is null, x is not null        the only way to ask for missing values: nothing equals null
        and, or, not, ( )               logic; a column of truth values may be alone
        + - * /                         arithmetic on numbers
        contains(x, 'text')             text that holds another; also startswith and endswith
        matches(x, 'regex')             text in which a regular expression (RE2) is found
        lower(x), upper(x), strip(x)    text in lower or upper case, or without space around it
        len(x), abs(x)                  characters of a text or elements of a list; a number without its sign

    A comparison with a null or a NaN is neither true nor false but null, and so is what depends on it: `null and false`
    is false, `null or true` is true, everything else is null. What becomes of such rows, `--nulls` says.
    """

    name: ClassVar[str] = "filter"
    suffix: ClassVar[str] = "filtered"
    scope: ClassVar[kb.stage.Scope] = "row"
    placement: ClassVar[kb.stage.Placement] = "either"

    where: str
    """Expression over the columns, such as "reward > 0.85"."""
    nulls: Literal["error", "drop", "keep"] = "error"
    """What becomes of rows for which the expression is null, because it compares a null or a NaN."""

    def output_features(self, features: Features) -> Features:
        """The same features, once the expression is known to fit their types."""
        expression = Expression(self.where, kb.Schema(features, self.columns))
        expression.check()
        return features

    def transform(self, ds: Dataset) -> kb.Result:
        """Evaluate the expression on the columns that it names, and keep a view of the rows."""
        import numpy as np
        import pyarrow as pa

        expression = Expression(self.where, kb.Schema(ds.features, self.columns))
        parts = [expression.evaluate(table) for table in batches(ds, expression.paths, rows=20_000)]
        answer = pa.concat_arrays(parts) if parts else pa.array([], pa.bool_())
        null = np.asarray(answer.is_null())
        true = np.asarray(answer.fill_null(False))
        if null.any() and self.nulls == "error":
            raise kb.errors.RowError(self._null_message(ds, expression, np.flatnonzero(null)))
        kept = true | null if self.nulls == "keep" else true
        dropped = {f"not {self.where}": ~true & ~null, "null in the expression": null & ~kept}
        drops = [
            kb.Drop(keep(ds, mask, self.fingerprint(ds, reason)), reason)
            for reason, mask in dropped.items()
            if mask.any()
        ]
        return kb.Result(keep(ds, kept, self.fingerprint(ds, "kept")), dropped=tuple(drops))

    def _null_message(self, ds: Dataset, expression: Expression, rows: Any) -> str:
        named = ", ".join(row_name(ds, int(index), self.columns) for index in rows[:3])
        return (
            f"{self.where!r} is null for {rows_text(len(rows))}, since {' or '.join(expression.paths)} is null or NaN "
            f"there: {named}. Use --nulls drop or --nulls keep to continue."
        )
