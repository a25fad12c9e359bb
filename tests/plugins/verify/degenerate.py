"""Texts that no model should write and some do: nested, endless, broken; as reference, as candidate, in a kernel.

`python tests/plugins/verify/degenerate.py [--workers N] [--only TEXT] [--json FILE]` has each pair verified, prints the
verdicts and the slowest pairs in processor seconds, and ends with 1 if a verdict says that the check itself failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kbtools_plugins.verify import Verification, VerifySettings
from kbtools_plugins.verify.pool import Pair, verify_all

REFERENCE = """import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return x + 1.0


def get_inputs():
    return [torch.randn(4, 32)]


def get_init_inputs():
    return []
"""
CANDIDATE = """import torch
import torch.nn as nn
import triton
import triton.language as tl
{top}

@triton.jit
def add_one(x_ptr, out_ptr, size: tl.constexpr):
    at = tl.arange(0, size)
    x = tl.load(x_ptr + at)
    {kernel}
    tl.store(out_ptr + at, x + 1.0)


class ModelNew(nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        add_one[(1,)](x, out, 128)
        {forward}
        return out
"""
RIGHT = CANDIDATE.format(top="", kernel="", forward="")


def _nested(opening: str, inner: str, closing: str, depth: int) -> str:
    return opening * depth + inner + closing * depth


def _blocks(head: str, depth: int) -> str:
    return "".join(f"{' ' * level}{head}\n" for level in range(depth)) + " " * depth + "pass\n"


def expressions() -> Iterator[tuple[str, str]]:
    """Expressions in `x`, which may stand wherever a value may."""
    for count in (340, 1_500, 6_000, 30_000):
        yield f"sum of {count} terms", " + ".join(["x"] * count)
        yield f"{count} attributes in a row", "x" + ".T" * count
        yield f"{count} calls in a row", "x" + ".to(tl.float32)" * count
        yield f"{count} subscripts in a row", "x" + "[0]" * count
        yield f"{count} nots", "not " * count + "x"
        yield f"{count} powers", "**".join(["x"] * count)
        yield f"{count} choices", "x if x else " * count + "x"
        yield f"{count} comparisons", " < ".join(["x"] * count)
        yield f"{count} ands", " and ".join(["x"] * count)
        yield f"{count} arguments", f"max({', '.join(['x'] * count)})"
        yield f"{count} stars", f"max({'*' * 2}x{', **x' * count})"
    for depth in (90, 150, 1_000, 50_000):
        yield f"{depth} parentheses", _nested("(", "x", ")", depth)
        yield f"{depth} lists", _nested("[", "x", "]", depth)
        yield f"{depth} lambdas", "lambda: " * depth + "x"
        yield f"{depth} calls", _nested("abs(", "x", ")", depth)
        yield f"{depth} tuples", _nested("(", "x", ",)", depth)
        yield f"{depth} dictionaries", _nested("{0: ", "x", "}", depth)
    yield "100,000 minus signs", "-" * 100_000 + "x"
    yield "100,000 inversions", "~" * 100_000 + "1"
    yield "6,000 digits", "7" * 6_000
    yield "100,000 hexadecimal digits", "0x" + "f" * 100_000
    yield "5,000 hexadecimal digits", "0x" + "f" * 5_000
    yield "a shift beyond memory", "1 << 400_000_000_000"
    yield "a power beyond memory", "9 ** 9 ** 9 ** 9"
    yield "a text beyond memory", "'a' * 10 ** 14"
    yield "an exponent of 400", "1e400 - 1e400"
    yield "a megabyte of text", repr("a" * 2**20)
    yield "50,000 texts side by side", " ".join(["'a'"] * 50_000)
    yield "a formatted text in itself", "f'{f\"{x}\"}'"
    yield "200,000 elements", f"[{'0, ' * 200_000}]"
    yield "a comprehension of loops", f"[x {'for a in [0] ' * 200}]"
    yield "named on the way", _nested("(y := ", "x", ")", 150)
    yield "a name of 100,000 letters", "a" * 100_000
    yield "half of a surrogate pair", "'\ud83d'"
    yield "a surrogate as a name", "\udc80"
    yield "the number nobody has", "float('nan') == float('inf')"
    yield "awaited", "await x"


def statements() -> Iterator[tuple[str, str]]:
    """Lines for the top level."""
    yield "10,000 constants", "\n".join(f"C{number} = {number}" for number in range(10_000))
    yield "10,000 functions", "\n".join(f"def f{number}(): return f{number + 1}()" for number in range(10_000))
    yield "5,000 classes", "\n".join(f"class C{number}: pass" for number in range(5_000))
    yield "3,000 kernels", "\n".join(f"@triton.jit\ndef k{number}(x): tl.store(x, {number})" for number in range(3_000))
    yield "1,000 decorators", "@id\n" * 1_000 + "def f(): pass"
    yield "5,000 parameters", f"def f({', '.join(f'p{number}' for number in range(5_000))}): pass"
    yield "a chain of names", "a0 = 1\n" + "\n".join(f"a{n} = a{n - 1}" for n in range(1, 5_000))
    yield "a chain of modules", "a0 = torch\n" + "\n".join(f"a{n} = a{n - 1}.nn" for n in range(1, 2_000))
    for depth in (18, 60, 99, 2_000):
        yield f"{depth} ifs", _blocks("if 1:", depth)
        yield f"{depth} loops", _blocks("for i in ():", depth)
        yield f"{depth} functions in functions", _blocks("def f():", depth)
        yield f"{depth} classes in classes", _blocks("class C:", depth)
        yield f"{depth} withs", _blocks("with f:", depth)
        yield f"{depth} times something else", "if 0: pass\n" + "elif 0: pass\n" * depth
    yield "a zero byte", "a = 'b\0c'"
    yield "lone carriage returns", "a = 1\rb = 2\r# c\r"
    yield "form feeds", "\f\f\fa = 1\f"
    yield "a mark of byte order inside", "a = 1\n\ufeffb = 2"
    yield "another encoding", "# -*- coding: utf-16 -*-\na = 'é'"
    yield "no such encoding", "# -*- coding: none-such -*-"
    yield "continued for ever", "a = 1 + \\\n" * 50_000 + "1"
    yield "a megabyte of remarks", "# remark\n" * 120_000
    yield "remark of a megabyte", "#" + " é" * 2**19
    yield "look-alike letters", "ｘ = ℌ = ﬁ = 1"
    yield "right to left", "a = '\u202e\u2066# }'"
    yield "never closed", "a = '''" + "b" * 100_000
    yield "brackets that do not match", "([{" * 40 + ")]}" * 40
    yield "tabs and blanks", "if 1:\n\ta = 1\n        b = 2"
    yield "starred import", "from triton.language import *"
    yield "itself imported", "import candidate\nfrom candidate import *"
    yield "a return outside", "return 1"
    yield "a deletion of everything", "del torch, nn, triton, tl"
    yield "one big match", "match 1:\n" + "".join(f" case {n}: pass\n" for n in range(3_000))
    yield "future of annotations", "from __future__ import annotations"
    yield "names of the checker", "import kbtools_plugins.verify.check"
    yield "text with a surrogate raised", "raise ValueError('\\ud800' * 1000)"
    yield "a long text raised", "raise ValueError('a' * 10 ** 7)"
    yield "an error without an end", "class E(Exception):\n def __str__(self): return str(self)\nraise E"
    yield "an error that is its own cause", "a = ValueError()\na.__cause__ = a\nraise a"
    yield "recursion", "def f(): return f()\nf()"
    yield "recursion allowed", "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()\nf()"
    yield "memory", "a = bytearray(10 ** 13)"


def forwards() -> Iterator[tuple[str, str]]:
    """Lines at the end of a forward."""
    yield "result 200 deep", "for _ in range(200): out = [out]"
    yield "result 900 deep", "for _ in range(900): out = (out,)"
    yield "result 100,000 deep", "for _ in range(100_000): out = [out]"
    yield "result in itself", "out = [out]\n        out.append(out)"
    yield "result of 100,000 parts", "out = [out] * 100_000"
    yield "result with surrogates", "out = {'\\ud800': out}"
    yield "result with a long text", "out = [out, 'a' * 10 ** 8]"
    yield "result with a long number", "out = [out, 10 ** 5000]"
    yield "result by odd keys", "out = {None: out, 1.5: out, (1, 2): out}"
    yield "result of nothing", "out = None"
    yield "result without elements", "out = out[:0]"
    yield "result of 60 dimensions", "out = out.view(*[1] * 56, 4, 32)"
    yield "result as a generator", "out = (part for part in [out])"
    yield "result as a class", "out = type(out)"
    yield "result with NaN beside it", "out = [out, float('nan')]"
    yield "30,000 views", "for _ in range(30_000): out = out.view(4, 32)"
    yield "3,000 launches", "for _ in range(3_000): add_one[(1,)](x, out, 128)"
    yield "a huge grid", "add_one[(2**31 - 1, 65535, 65535)](x, out, 128)"
    yield "a negative grid", "add_one[(-1,)](x, out, 128)"
    yield "a grid of text", "add_one[('1',)](x, out, 128)"
    yield "a huge constant", "add_one[(1,)](x, out, 2 ** 40)"
    yield "a number of 5,000 digits", "add_one[(1,)](x, out, 16 ** 5000)"
    yield "attribute of surrogates", "setattr(self, '\\ud800', out)"
    yield "a buffer of surrogates", "self.register_buffer('\\ud800', out)"


def answers() -> Iterator[tuple[str, str]]:
    """Whole answers of models; `{}` is the code."""
    yield "3,000 fences", "```python\na = 1\n```\n" * 3_000 + "```python\n{}\n```"
    yield "200 kB of backticks", "`" * 200_000 + "\n{}"
    yield "200 kB of tildes", "~" * 200_000 + "\n{}\n" + "~" * 200_000
    yield "fences that grow", "\n".join("`" * count for count in range(3, 500)) + "\n{}"
    yield "100,000 lines that open", "```\n" * 100_001 + "{}"
    yield "100,000 thoughts", "<think>a</think>" * 100_000 + "```python\n{}\n```"
    yield "100,000 opened thoughts", "<think>" * 100_000 + "{}"
    yield "100,000 closed thoughts", "</think>" * 100_000 + "\n{}"
    yield "100,000 answers", "<answer>a</answer>" * 100_000 + "<answer>\n{}\n</answer>"
    yield "100,000 opened answers", "<answer>" * 100_000 + "\n{}\n</answer>"
    yield "marks by turns", "<think></answer><answer></think>" * 30_000 + "\n{}"
    yield "blanks before a fence", " " * 500_000 + "```\n{}\n```"
    yield "two megabytes of prose", "And so on. " * 200_000 + "\n```python\n{}\n```"
    yield "quotes before it", "'\"'\"" * 50_000 + "\n{}"
    yield "carriage returns alone", "{}".replace("\n", "\r") + "\r"
    yield "zero bytes around", "\0{}\0"
    yield "surrogates around", "\ud800\n```python\n{}\n```\n\udfff"
    yield "nothing", ""
    yield "blanks", " \n\t\n" * 1_000
    yield "prose", "I cannot help with that."
    yield "JSON", '{{"code": "{}"}}'
    yield "markup", "<![CDATA[" * 10_000 + "{}"


@dataclass(frozen=True)
class Degenerate:
    """A pair and what is odd about it."""

    name: str
    pair: Pair


def pairs() -> Iterator[Degenerate]:
    """All of them: each oddity wherever it may stand."""
    for name, text in expressions():
        yield Degenerate(f"{name}, alone", Pair(REFERENCE, text))
        yield Degenerate(f"{name}, at the top", Pair(REFERENCE, _candidate(top=f"def odd(x): return {text}")))
        yield Degenerate(f"{name}, in a kernel", Pair(REFERENCE, _candidate(kernel=f"y = {text}")))
        yield Degenerate(f"{name}, in the reference", Pair(f"{REFERENCE}\ndef odd(x): return {text}\n", RIGHT))
        yield Degenerate(f"{name}, as a constant", Pair(REFERENCE, _candidate(top=f"x = 1\nODD = {text}")))
    for name, text in statements():
        yield Degenerate(f"{name}, at the top", Pair(REFERENCE, _candidate(top=text)))
        yield Degenerate(f"{name}, in the reference", Pair(f"{REFERENCE}\n{text}\n", RIGHT))
    for name, text in forwards():
        yield Degenerate(name, Pair(REFERENCE, _candidate(forward=text)))
    for name, text in answers():
        yield Degenerate(f"{name}, around it", Pair(REFERENCE, text.replace("{}", RIGHT)))
        yield Degenerate(f"{name}, around the reference", Pair(text.replace("{}", REFERENCE), RIGHT))


def _candidate(top: str = "", kernel: str = "", forward: str = "") -> str:
    return CANDIDATE.replace("{top}", top).replace("{kernel}", kernel).replace("{forward}", forward)


def run(found: list[Degenerate], workers: int) -> list[Verification]:
    """Their verdicts, with little time for each."""
    return verify_all([one.pair for one in found], VerifySettings(timeout=10), workers)


def failed(found: list[Degenerate], verdicts: list[Verification]) -> list[str]:
    """A line for each pair on which the check itself failed."""
    own = ("unsupported:internal", "unsupported:killed")
    return [
        f"{one.name}: {verdict.error[-700:]}"
        for one, verdict in zip(found, verdicts, strict=True)
        if verdict.verdict in own
    ]


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = [one for one in pairs() if options.only in one.name]
    verdicts = run(found, options.workers)
    for kind, count in Counter(verdict.verdict for verdict in verdicts).most_common():
        print(f"{count:5} {kind}")
    by_time = sorted(zip(verdicts, found, strict=True), key=lambda pair: -pair[0].processor_seconds)
    print("the slowest, in processor seconds:")
    for verdict, one in by_time if options.only else by_time[:12]:
        print(f"{verdict.processor_seconds:8.2f}  {one.name}: {verdict.verdict} {verdict.error[:90]!r}")
    faults = failed(found, verdicts)
    print("\n".join(faults) or f"{len(found)} texts, none of which stopped the check")
    if options.json:
        rows = [{"name": one.name, "verdict": verdict.verdict, "processor_seconds": verdict.processor_seconds}
                for verdict, one in by_time]  # fmt: skip
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
