"""Reading texts and messages: code out of answers, tricks in syntax trees, frames on the wire, formulas."""

from __future__ import annotations

import ast
import socket

import pytest

from kbtools.errors import RowError, UsageError
from kbtools_plugins.verify.candidate.static_rules import findings
from kbtools_plugins.verify.candidate.text import NoCode, candidate_entry, extract, parse, reference_entry
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.reward import check_formula, reward_of
from kbtools_plugins.verify.verdict import Verification
from sample.completions import FORMATS
from sample.material import in_rounds, read_modules

CODE = "x = 1\n"


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f"Here:\n```python\n{CODE}```\nDone.",
        f"<think>maybe ```python\ny = 2\n```</think><answer>\n```python\n{CODE}```\n</answer>",
        f"a draft <answer>y = 2</answer> then <answer>{CODE}</answer>",
        f"Sure.\nBEGIN_PYTHON\n{CODE}END_PYTHON\n",
        f"~~~\n{CODE}~~~\nand\n```bash\nls\n```",
        f"BEGIN_PYTHON\n{CODE}END_PYTHON",
        f"<think>never closed <answer>\n```python\n{CODE}```\n</answer>",
    ],
)
def test_answer_is_found_in_what_a_model_wrote(text: str) -> None:
    """Fences, answer tags, marker lines (alone they are Python, too), drafts and reasoning, closed or not."""
    assert extract(text).strip() == CODE.strip()


@pytest.mark.parametrize("fenced", [True, False])
def test_marks_inside_the_answers_code_are_text(fenced: bool) -> None:
    """A `</think>` in a string of the code ends no reasoning."""
    code = 'x = "a closing </think> or <answer> is text"\n'
    answer = f"```python\n{code}```" if fenced else code
    assert extract(f"<think>why</think>\n<answer>\n{answer}\n</answer>").strip() == code.strip()
    assert extract(code) == code


def test_code_of_every_rollout_of_the_sample_is_found() -> None:
    """In each of the formats, awkward cases included."""
    for module, rollout in in_rounds(read_modules()):
        message = FORMATS[rollout.format](rollout.reasoning, rollout.code)
        assert extract(message.content).strip() == rollout.code.strip(), (module.slug, rollout.format)


def test_main_blocks_are_not_run() -> None:
    """Neither way of writing the comparison."""
    tree = parse("x = 1\nif __name__ == '__main__':\n    x = 2\nif '__main__' == __name__:\n    x = 3\n")
    assert ast.unparse(tree) == "x = 1"


def test_entry_points_follow_the_conventions() -> None:
    """The name asked for, `Model`, the last class; then New, ModelNew, the same name."""
    tree = ast.parse("class Block: pass\nclass Net: pass")
    assert reference_entry(tree, None) == "Net"
    assert reference_entry(tree, "Block") == "Block"
    assert candidate_entry(ast.parse("class NetNew: pass"), "Net") == "NetNew"
    assert candidate_entry(ast.parse("Fast = 1\nModelNew = Fast"), "Net") == "ModelNew"
    with pytest.raises(NoCode, match="neither NetNew nor ModelNew"):
        candidate_entry(ast.parse("class Other: pass"), "Net")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("import torch as t\nf = t.compile\ng = f(h)", "hack:torch_compile"),
        ("from os import system as s\ns('ls')", "forbidden:process"),
        ("import torch\nsetattr(torch, 'all' + 'close', f)", "hack:patched_name"),
        ("import torch\ngetattr(torch.cuda, 'CUDAGraph')()", "hack:cuda_graph"),
        ("import ctypes as c\nc.CDLL(None)", "forbidden:ctypes"),
        ("__import__('socket').socket()", "forbidden:network"),
        ("e.__traceback__.tb_frame", "hack:introspection"),
        ("import os\nos.environ['HF_TOKEN']", "forbidden:environment"),
        ("from reference import Model", "hack:reference_access"),
    ],
)
def test_tricks_are_recognised_through_aliases(code: str, verdict: str) -> None:
    """Each by its kind."""
    finding = next(iter(findings(ast.parse(code))), None)
    assert finding is not None
    assert finding.verdict == verdict


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.environ['TRITON_CACHE_DIR'] = 'x'\nn = os.path.join('a')",
        "import torch\ntorch.backends.cuda.matmul.allow_tf32 = False\nself.weight = torch.compiled",
        "try:\n    import a\nexcept ImportError:\n    a = None",
        "class A:\n    def forward(self, x):\n        self.n += 1\n        if x.shape[0] > 3: pass",
    ],
)
def test_honest_lines_are_no_tricks(code: str) -> None:
    """What resembles a trick and is none."""
    assert findings(ast.parse(code)) == []


def test_messages_survive_the_wire_and_forgeries_do_not() -> None:
    """Trees with bytes arrive unchanged; another key, a cut or nothing at all is noticed."""
    ours, theirs = socket.socketpair()
    tree = {"a": [1, 2.5, None, True, "x"], "b": {"c": b"\x00\xff", "d": [b""]}}
    wire.send(ours, tree, b"key")
    assert wire.receive(theirs, b"key") == tree
    wire.send(ours, tree, b"other")
    with pytest.raises(wire.WireError, match="signature"):
        wire.receive(theirs, b"key")
    ours.sendall(b"pass")
    ours.close()
    with pytest.raises(wire.WireError, match="cut off"):
        wire.receive(theirs, b"key")
    with pytest.raises(EOFError):
        wire.receive(theirs, b"key")


def test_reward_formula_is_arithmetic_over_the_verdict() -> None:
    """Fields, comparisons and conditions; 0 where a field is missing."""
    verdict = Verification(verdict="pass", shape_general=False, speedup=2.0)
    assert reward_of("min(speedup, 1.5) * (1 if shape_general else 0.5)", verdict) == 0.75
    assert reward_of("1 / kernel_ms", verdict) == 0.0
    assert reward_of("(speedup or 1) if 0 < speedup < 3 and not shape_general else -1", verdict) == 2.0
    assert reward_of("passed * 2 ** -1", verdict) == 0.5


@pytest.mark.parametrize(
    "formula",
    [
        "__import__('os')", "verdict.error", "open", "speedup +", "", "min(1)", "max()", "min", "passed()", "'abc'",
        "(-1)**0.5", "10.0**1000", "2**2**2**2**2**2", "1e400", "9" * 5000, "1/0", "passed if passed else 'x'", "[1]",
        "min(*passed)", "passed(1, 2)", "min(1, 2)(1, 2)", "min(1, key=max)", "lambda: 1", "passed is 1",
        "speedup @ 2", "(" * 300 + "1" + ")" * 300,
    ],
)  # fmt: skip
def test_wrong_reward_formulas_are_errors_before_the_first_pair(formula: str) -> None:
    """What cannot be read, is not arithmetic, or has no finite real value is never a reward of 0."""
    with pytest.raises(UsageError, match="--reward"):
        check_formula(formula)


def test_what_is_wrong_in_a_reward_formula_is_shown() -> None:
    """The part that is no arithmetic, and the fault of another kind where one verdict alone divides by zero, too."""
    with pytest.raises(UsageError, match=r"not 'passed\(\)'"):
        check_formula("1 + passed()")
    with pytest.raises(UsageError, match="not a real number"):
        check_formula("1 / passed if passed else (-1) ** 0.5")


@pytest.mark.parametrize(
    "formula",
    ["1 / passed", "(shape_general - 0.5) ** 0.5", "(in_place - 0.5) ** 0.5", "1 if passed else 2", "min(1, 2)"],
)
def test_a_reward_formula_that_a_good_verdict_can_be_computed_with_is_taken(formula: str) -> None:
    """A kernel that passes, in general and in place: what others make impossible is told of their rows."""
    check_formula(formula)
    assert reward_of("1 if passed else 2", Verification(verdict="pass")) == 1.0
    assert reward_of("1 if passed else 2", Verification(verdict="wrong_output")) == 2.0


def test_reward_formula_that_a_verdict_makes_impossible_is_an_error_of_its_row() -> None:
    """Numbers of one verdict alone: a division by one, a root of one."""
    verdict = Verification(verdict="pass", speedup=0.0, max_error=1.0)
    for formula in ("1 / speedup", "(0.5 - max_error) ** 0.5 if speedup < 1 else 1"):
        check_formula(formula)
        with pytest.raises(RowError, match="--reward"):
            reward_of(formula, verdict)
