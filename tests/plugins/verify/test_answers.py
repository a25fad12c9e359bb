"""What a candidate's Python is told: heard without changing what it does, and answered otherwise on request."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from kbtools_plugins.verify.worker.record.answers import listening
from kbtools_plugins.verify.worker.record.answers.answers import Answers
from kbtools_plugins.verify.worker.record.answers.otherwise import TookTooLong, other, variants
from kbtools_plugins.verify.worker.record.failures import is_own
from kbtools_plugins.verify.worker.record.own_state import fingerprint

_PATH = "/candidate.py"


class _Told:
    """One text, run so that it tells what it is told."""

    def __init__(self, text: str) -> None:
        self.answers = Answers("candidate", _PATH)
        self._text = text

    def module(self) -> ModuleType:
        made = ModuleType("candidate")
        vars(made)["__builtins__"] = {**vars(__import__("builtins")), **self.answers.hooks()}
        exec(self.answers.compiled(self._text), vars(made))
        return made

    def results(self) -> tuple[object, list[object]]:
        """What its function gives, and what it gives with each other answer; exceptions by their name."""
        first = self.module().asked()
        found: list[object] = []
        for given, _ in self.answers.tries():
            try:
                with self.answers.otherwise(given):
                    found.append(self.module().asked())
            except Exception as error:  # noqa: BLE001 - what it raises is what is compared
                found.append(type(error).__name__)
        return first, found


def _asks(expression: str, before: str = "") -> tuple[object, list[object]]:
    return _Told(f"import torch\n{before}\n\ndef asked():\n    return {expression}\n").results()


@pytest.mark.parametrize(
    "expression",
    [
        "torch.zeros(2, 3).shape[0]",
        "torch.zeros(2, 3).size(0) * 2 + len([1, 2])",
        "isinstance(torch.zeros(2), torch.Tensor)",
        "'{}'.format(torch.float32).upper()",
        "sorted(x for x in (3, 1, 2))",
        "torch.nn.Linear(2, 3).in_features",
        "torch.cuda.is_available()",
        "torch.__version__ >= '2'",
        "math.ceil(7 / 2)",
        "f'{1.5:.3f} {torch.float16}'",
        "getattr(torch.zeros(2), 'dtype')",
    ],
)
def test_facts_are_never_answered_otherwise(expression: str) -> None:
    """Shapes, types, arithmetic, settings that differ from place to place anyway."""
    first, others = _asks(expression, "import math")
    names: dict[str, Any] = {"torch": torch, "math": __import__("math")}
    assert first == eval(expression, names)
    assert others == []


@pytest.mark.parametrize(
    ("expression", "before", "expected"),
    [
        ("torch._C._has_mkldnn or False", "", False),
        ("isinstance(torch.zeros(2), torch.cuda.FloatTensor)", "", True),
        ("'sys' in sys.modules", "import sys", False),
        ("hasattr(torch._C, '_no_such_thing')", "", True),
        ("'' == str(torch._C._dispatch_keys(torch.zeros(2)))", "", True),
        ("list({'a', 'b'} | {'c'}) == list({'a', 'b'} | {'c'})", "", True),
        ("kept() > 10**6", "kept = torch.get_num_interop_threads", True),
        ("[torch.zeros(2).is_shared()][0]", "", True),
    ],
)
def test_all_else_is_answered_otherwise_once(expression: str, before: str, expected: bool) -> None:
    """Truth values turn round, numbers become small and large, texts empty and those of a device, collections empty."""
    _, others = _asks(expression, before)
    assert expected in others


def test_a_question_that_comes_up_only_then_is_tried_too() -> None:
    """Two that have to agree, of which the second is asked after the first alone."""
    _, others = _asks("torch._C._has_cuda and torch._C._has_xpu")
    assert True in others


def test_the_order_of_a_set_is_nothing_to_rely_on() -> None:
    """Of displays, comprehensions, unions and what functions make; looking whether something is in it asks nothing."""
    for made in ("{'a', 'b', 'c'}", "set('abc')", "{x for x in 'abc'}", "{'a'} | set('bc')", "frozenset('abc')"):
        first, others = _asks(f"[*{made}]")
        assert first[::-1] in others
    assert _asks("'a' in {'a', 'b'}") == (True, [])


def test_what_raises_is_tried_as_if_it_did_not() -> None:
    """And what is called where exceptions are caught is tried as if it had raised."""
    text = """
import torch

def asked():
    try:
        {call}
    except {kind}:
        return "caught"
    return "given"
"""
    first, others = _Told(text.format(call="torch.zeros(2).is_shared()", kind="RuntimeError")).results()
    assert (first, "caught" in others) == ("given", True)
    first, others = _Told(text.format(call="torch.zeros(2).sparse_resize_((2,), 1, 0)", kind="RuntimeError")).results()
    assert (first, "given" in others) == ("caught", True)


def test_an_answer_that_makes_it_endless_ends() -> None:
    """A number may have become the length of a loop."""
    told = _Told("import torch\n\ndef asked():\n    while torch._C._has_cuda:\n        pass\n    return 1\n")
    told.module().asked()
    (given, _), *_ = told.answers.tries()
    with pytest.raises(TookTooLong), told.answers.otherwise(given):
        told.module().asked()


def test_kernels_keep_their_code() -> None:
    """Triton reads their text, and what their names stand for is looked up in their code."""
    text = (
        "@triton.jit\ndef k(x):\n    return x.size(f(3))\n\ndef g(x):\n    return x.size(f(3))\n\nh = triton.jit(g)\n"
    )
    tree, sites = listening.listen(text, _PATH)
    bodies = {node.name: ast.unparse(node.body[0]) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert bodies == {"k": "return x.size(f(3))", "g": "return x.size(f(3))"}
    assert {site.line for site in sites} == {1, 8}


def test_lines_and_names_stay() -> None:
    """An exception tells the line of the text, and zero-argument super works."""
    text = """
class A:
    def f(self):
        return 1


class B(A):
    def f(self):
        return super().f()


def asked():
    return B().f()


def fails():
    return 1 / len("")
"""
    told = _Told(text)
    assert told.module().asked() == 1
    with pytest.raises(ZeroDivisionError) as caught:
        told.module().fails()
    assert caught.traceback[-1].lineno + 1 == 17


@pytest.mark.parametrize("value", [True, 0, 7, 2**40, 1.5, "text", (1, "a"), {"a": 1}, [1, 2]])
def test_another_answer_is_another_one(value: object) -> None:
    """Of the same kind, as far as that matters to who asks."""
    for variant in range(variants(value)):
        assert other(value, variant) != value


def test_where_an_object_lies_is_told_otherwise_in_each_bit_but_aligned() -> None:
    first, others = _Told("def asked():\n    return id(int)\n").results()
    changed = [first ^ found for found in others]  # type: ignore[operator]  # numbers
    assert first == id(int)
    assert changed[0] | changed[1] == 2**48 - 2**4
    assert not changed[0] & changed[1]


def test_addresses_stay_aligned() -> None:
    """Who asks for alignment is told the truth."""
    assert [other(0x7F00_0000_0200, variant) % 512 for variant in (0, 1)] == [0, 0]


def test_an_answer_that_the_text_waits_for_is_given() -> None:
    """What it compares with may be the very answer of a device."""
    for expression, waited in (
        ("torch._C._show_config() == 'waited for'", True),
        ("torch._C._show_config().startswith('waited')", True),
        ("(0, 1, 2)[0 if torch._C._get_privateuse1_backend_name() not in ('waited', 'for') else 2]", 2),
    ):
        first, others = _asks(expression)
        assert first != waited
        assert waited in others


def test_nothing_becomes_something_and_a_module_nothing() -> None:
    first, others = _asks("sys.modules.get('no_such_module') is None", "import sys")
    assert (first, others) == (True, [False])
    first, others = _asks("sys.modules.get('torch') is None", "import sys")
    assert (first, others) == (False, [True])


def test_what_is_not_used_is_not_answered_otherwise() -> None:
    told = _Told("import torch\n\ndef asked():\n    torch._C._log_api_usage_once('x')\n    return 1\n")
    assert told.results() == (1, [])


def _raised(text: str, path: str) -> Exception:
    names: dict[str, Any] = {}
    exec(compile(text, path, "exec"), names)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any
        names["fault"]()
    return caught.value


def test_a_fault_of_the_check_is_told_from_one_of_the_candidate() -> None:
    """It was raised in the check's own code, and nothing of the candidate was running."""
    ours = str(Path(listening.__file__).parent / "fault.py")
    own = "def fault(call=lambda: {}['absent']):\n    return call()"
    assert is_own(_raised(own, ours), _PATH)
    assert not is_own(_raised(own, _PATH), _PATH)
    assert not is_own(_raised(own, "/site-packages/torch/x.py"), _PATH)
    wrong_call = "def fault():\n    return (lambda: 0)(1)"
    assert not is_own(_raised(wrong_call, str(Path(listening.__file__).parents[2] / "loading.py")), _PATH)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("CALLS = []\ndef step(): CALLS.append(1)", True),
        ("import itertools\nC = itertools.count()\ndef step(): next(C)", True),
        ("import itertools\nC = itertools.cycle([1, 2, 3])\ndef step(): next(C)", True),
        ("def turns():\n    while True:\n        yield 1\n        yield 2\nC = turns()\ndef step(): next(C)", True),
        ("def step(kept=[]): kept.append(1)", True),
        ("def step(): step.calls = getattr(step, 'calls', 0) + 1", True),
        ("class Count:\n    calls = 0\ndef step(): Count.calls += 1", True),
        ("import random\nR = random.Random(1)\ndef step(): R.random()", True),
        ("SEEN = {}\ndef step(): SEEN['shape'] = (1, 2)", False),
        ("import math\ndef step(): math.sqrt(2.0)", False),
    ],
)
def test_what_changes_with_each_call_is_seen(text: str, changes: bool) -> None:
    """Whatever counts calls: a list, an iterator, a generator, a default, an attribute."""
    made = ModuleType("candidate")
    exec(text, vars(made))
    made.step()
    before = fingerprint(made, None)
    made.step()
    assert (fingerprint(made, None) != before) == changes


def _state_told_otherwise(body: str, before: str = "state = 12345") -> list[object]:
    """What a function gives where what it compares of its own state is another thing."""
    told = _Told(f"{before}\n\ndef asked():\n    global state\n{body}\n")
    told.answers.compared.look(told.module().asked)
    return told.results()[1]


@pytest.mark.parametrize(
    "choice",
    [
        "2 if (state >> 16) % 1000 == 7 else 1",
        "1 if (state >> 16) % 1000 else 2",
        "1 if not (state >> 16) % 1000 == 7 else 2",
        "{1234567: 2}.get(state, 1)",
        "[1, 2][state == 1234567]",
        "2 if 'e' < chr(state % 3 + 97) and state else 1",
        "2 if state % 64 == 7 and (state >> 8) % 64 == 9 else 1",
        "1 + (state >> 8) % 1000 // 999",
        "1 + max(0, (state >> 8 & 1023) - 1022)",
        "2 - bool((state >> 8) % 1000)",
        "2 if str(state).startswith('1234') else 1",
        "2 if ((state >> 8) % 1000).__eq__(7) else 1",
    ],
)
def test_what_is_compared_of_a_state_is_told_otherwise(choice: str) -> None:
    """Numbers of its own walk at random: whatever they are compared with, the other branch is seen."""
    step = "    state = (state * 1103515245 + 12345) % 2**31"
    assert 2 in _state_told_otherwise(f"{step}\n    return {choice}")


def test_what_stays_is_not_told_otherwise() -> None:
    """A memo, a number that is set once, and a test of arguments are the same at each call."""
    memo = "    if 'made' not in state:\n        state['made'] = 1\n    return state['made'] if len(state) < 2 else 2"
    assert _state_told_otherwise(memo, "state = {}") == []
    assert _state_told_otherwise("    state = 3\n    return 1 if state == 3 and 4 > 2 else 2") == []
