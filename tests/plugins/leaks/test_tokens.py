"""Streams of tokens: what counts, what does not, and that no text takes long or breaks the walk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kbtools_plugins.leaks.shingles import shingles
from kbtools_plugins.leaks.tokens import TokenStream, raw_stream, stream

PLAIN = """
import torch
import torch.nn as nn

class Net(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.layer = nn.Linear(size, 3)
        self.register_buffer("shift", torch.zeros(3))

    def scaled(self, x, by=2.0):
        return x * by

    def forward(self, x):
        y = self.layer(x)
        return self.scaled(y, by=4.0) - self.shift
"""
RENAMED = '''
from torch.nn import Linear, Module
import torch as t

class Other(Module):
    """Something else."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense: Linear = Linear(width, 3)  # a comment
        self.register_buffer('offset', t.zeros(3))

    def times(self, value, factor=2.0): return value * factor

    def forward(self, inp):
        out = self.dense(inp)
        return self.times(out, factor=4.0) - self.offset

batch = 16

def get_inputs():
    return [t.rand(batch, 4)]

def get_init_inputs():
    return [4]

def test_it():
    assert Other(4)(*get_inputs()).shape == (16, 3)

if __name__ == "__main__":
    test_it()
'''


def same(one: str, other: str, how: str = "names") -> bool:
    return stream(one, how).digest == stream(other, how).digest


def test_names_formatting_imports_annotations_and_harness_do_not_count():
    """All of them at once; without renaming the names tell the two apart."""
    assert same(PLAIN, RENAMED)
    assert not same(PLAIN, RENAMED, "ast")
    assert not same(PLAIN, RENAMED, "raw")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0", "3.0"),
        ("x * by", "by * x"),
        ("x * by", "x + by"),
        ("nn.Linear", "nn.Bilinear"),
        ("zeros", "ones"),
        ("self.layer(x)", "self.layer(y)"),
        ("by=4.0", "to=4.0"),
        ("- self.shift", "- self.layer"),
    ],
)
def test_what_the_code_computes_counts(old, new):
    """Numbers, operators, operands, functions of torch and which name is meant."""
    assert not same(PLAIN, PLAIN.replace(old, new))


def test_names_of_torch_are_never_taken_for_the_codes_own():
    """A parameter called `dim` does not make the keyword of `torch.sum` a name of the code."""
    code = "import torch\ndef f(x, dim):\n    return torch.sum(x, {}=1) + x.sum({}=2) + dim\n"
    assert not same(code.format("dim", "dim"), code.format("axis", "dim"))
    assert not same(code.format("dim", "dim"), code.format("dim", "axis"))
    assert same(code.format("dim", "dim"), code.format("dim", "dim").replace("dim):", "d):").replace("+ dim", "+ d"))


def test_constants_count_only_where_the_code_uses_them():
    """Sizes of the inputs are the harness's; a constant that the module reads is the module's."""
    code = "N = {}\nM = {}\nclass A:\n    def f(self, x):\n        return x * N\n"
    assert same(code.format(1, 2), code.format(1, 3))
    assert not same(code.format(1, 2), code.format(4, 2))


def test_constants_of_constants_count_in_whatever_order():
    """A chain of 5,000 of them is followed to its end, in time that grows as the text does."""
    chain = "".join(f"N{place} = N{place + 1}\n" for place in range(5_000))
    code = chain + "N5000 = {}\nOTHER = {}\ndef f(x):\n    return x * N0\n"
    assert same(code.format(1, 2), code.format(1, 3))
    assert not same(code.format(1, 2), code.format(4, 2))


def test_order_of_definitions_does_not_change_the_shingles():
    """No shingle spans two definitions."""
    parts = ["def a(x):\n    return x + 1\n", "def b(x, y):\n    return x * y - 3\n"]
    assert set(shingles(stream("".join(parts))).tolist()) == set(shingles(stream("".join(parts[::-1]))).tolist())


def test_a_further_name_changes_only_the_shingles_that_have_it():
    """Names are numbered anew in each shingle."""
    before = shingles(stream("def f(a, b):\n    c = a * b + 1\n    return c - a / b\n"))
    after = shingles(stream("def f(z, a, b):\n    c = a * b + 1\n    return c - a / b\n"))
    assert len(set(before.tolist()) & set(after.tolist())) >= len(before) - 4


def test_short_code_has_one_shingle_and_empty_code_none():
    """Under five tokens only equal code is alike."""
    assert len(shingles(stream("x"))) == 1
    assert shingles(stream("x")).tolist() != shingles(stream("1")).tolist()
    assert len(shingles(stream(""))) == 0


DEGENERATE = {
    "minus signs": "-" * 100_000 + "1",
    "open brackets": "(" * 100_000,
    "a long sum": "+".join(["x"] * 100_000),
    "a long chain": "x" + ".a" * 100_000,
    "many subscripts": "x" + "[0]" * 30_000,
    "lone surrogate": "a\ud800b = 1",
    "null byte": "x = 1\0",
    "nested calls": "f(" * 90 + "1" + ")" * 90,
    "a huge number": "x = 0x" + "f" * 100_000,
    "a huge decimal": "x = " + "9" * 100_000,
    "conditionals": "1 if x else " * 20_000 + "2",
    "many classes": "\n".join(f"class C{i}: pass" for i in range(2_000)),
    "many names": "def f():\n" + "\n".join(f"  x{i} = {i}" for i in range(5_000)),
    "patterns": "match x:\n case A(b=1, c=d) as e: pass\n case [1, *rest]: pass\n case {'k': v, **more}: pass",
    "scopes": "global x\ntry:\n  x = lambda *a, k=1, **b: [a for a in b if (c := a)]\nexcept* E as e:\n  del x\n",
    "prose": "Sorry, I cannot do that: it's not Python.",
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_no_text_breaks_the_walk(name):
    """It parses or falls back to words and signs, and the same text has the same stream."""
    found = stream(DEGENERATE[name])
    assert len(found) > 0
    assert found.digest == stream(DEGENERATE[name]).digest
    if not found.parsed:
        assert found.digest == raw_stream(DEGENERATE[name]).digest


def test_any_syntax_of_the_standard_library_is_read():
    """Whole modules, with every node that Python has."""
    for module in (json, pytest):
        for file in sorted(Path(module.__file__).parent.glob("*.py")):
            found = stream(file.read_text(encoding="utf-8"))
            assert isinstance(found, TokenStream)
            assert found.parsed
