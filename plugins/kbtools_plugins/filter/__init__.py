"""The stage `filter`: `stage` runs an expression over a dataset, `expression` and `functions` are its language."""

from kbtools_plugins.filter.stage import Filter as Filter
