"""Datasets as kbtools sees them: loading, saving, column layouts, messages, and reasoning inside texts."""
