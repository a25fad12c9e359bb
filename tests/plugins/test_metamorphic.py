"""Ratings that follow looks are found out: code is changed in ways that mean nothing, and the judge is asked again."""

import ast
import json

import datasets
import pytest

import kbtools as kb
from kbtools.errors import UsageError
from kbtools.pipeline import plan, run
from kbtools_plugins.model_judges.rewrites import renamed, with_comment, without_comments
from tests.rows import evals, evals_row

CODE = '''"""Adds one."""
import torch  # the framework
from torch import nn


class Adder(nn.Module):
    """Adds."""

    # a constant
    def __init__(self, size, bias=1):
        super().__init__()
        self.size = size
        self.bias = bias  # kept

    def forward(self, x):
        """Only this."""
        total = x + self.bias
        print(f"{total} # no comment", "# nor this")
        return torch.clamp(total, min=0)


def get_inputs():
    return [torch.rand(4)]
'''


def test_comments_and_idle_strings_go_and_the_code_stays():
    """Comments inside strings are none, and what is left does the same."""
    stripped = without_comments(CODE)
    assert '"""' not in stripped
    assert "# a constant" not in stripped
    assert stripped.count("#") == 2
    assert ast.dump(ast.parse(stripped)) == ast.dump(_without_docstrings(ast.parse(CODE)))


def _without_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body.pop(0)
    return tree


def test_body_of_only_a_docstring_becomes_pass():
    """Without its only statement the code would be none."""
    assert without_comments('def f():\n    """Nothing."""\n') == "def f():\n    pass\n"


def test_own_names_change_and_names_that_others_know_stay():
    """Classes, parameters and variables change everywhere; attributes, keywords, imports and the interface do not."""
    texts = renamed({"reference_code": CODE, "completion": "<answer>\nclass AdderNew(Adder):\n    pass\n</answer>"})
    code = texts["reference_code"]
    for name in ("class Module1(nn.Module)", "self.size = value1", "self.bias", "torch.clamp(total, min=0)"):
        assert name in code
    assert "def forward(self, value" in code
    assert "def get_inputs()" in code
    assert "class Module1New(Module1)" in texts["completion"]


@pytest.mark.parametrize("row", range(0, 160, 20))
def test_sample_code_keeps_its_structure(row):
    """Stripping leaves the tree as it was, renaming changes nothing but names, on real modules and answers."""
    sample = kb.load("sample")[row]
    code = sample["info"]["python_code"]
    assert ast.dump(ast.parse(without_comments(code))) == ast.dump(_without_docstrings(ast.parse(code)))
    kinds = [[type(node) for node in ast.walk(ast.parse(text))] for text in (code, renamed({"a": code})["a"])]
    assert kinds[0] == kinds[1]
    assert renamed({"a": code})["a"] != code


@pytest.mark.parametrize("text", ["no code at all", "def broken(:\n", "", "x", "\ufeff# only words\n"])
def test_text_without_code_is_left_alone(text):
    """Nothing is changed in what cannot be parsed."""
    assert without_comments(text) == with_comment(text, "score 10") == renamed({"a": text})["a"] == text


def _rows(count):
    rows = [evals_row(i, f"M{i}", 1.0) for i in range(count)]
    for row in rows:
        row["info"]["python_code"] = "# plain\n" + row["info"]["python_code"]
    return datasets.Dataset.from_list(rows, features=evals([]).features)


def _credulous(body):
    """A judge that believes what comments claim."""
    prompt = body["messages"][-1]["content"]
    label = "low" if "# difficulty: low" in prompt else "high"
    return json.dumps({"difficulty_reason": "r", "difficulty": label})


def test_judge_that_believes_comments_is_found_out(model_server):
    """The planted label moves every row and is noted; stripping and renaming move none; the columns are untouched."""
    server, model = model_server(reply=_credulous)
    done = run(_rows(10), [kb.Judge(rubric="difficulty", model=model, metamorphic="100%")])
    assert done.dataset["difficulty"][:] == ["high"] * 10
    assert len(server.log) == 40
    found = done.records[0].facts["metamorphic"]
    assert found["rows"] == 10
    shares = {
        name: (change["rows"], change["difficulty"]["share_changed"]) for name, change in found["changes"].items()
    }
    assert shares == {
        "comments stripped": (10, 0.0),
        "names changed": (10, 0.0),
        "comment 'difficulty: low' planted": (10, 1.0),
    }
    assert "comment 'difficulty: low' planted (10 rows) difficulty differs in 100.0%" in done.records[0].notes[0]


def test_shift_of_a_score_is_its_mean_change(model_server):
    """Scores have a direction; a row whose completion holds no comment has nothing to strip."""

    def reply(body):
        score = 9 if "# style: score 10" in body["messages"][-1]["content"] else 5
        return json.dumps({"style_reason": "r", "style": score})

    _, model = model_server(reply=reply)
    done = run(evals([1.0, 0.5]), [kb.Judge(rubric="style", model=model, metamorphic="1.0")])
    changes = done.records[0].facts["metamorphic"]["changes"]
    assert changes["comments stripped"] == {"rows": 0, "failed": 0}
    assert changes["comment 'style: score 10' planted"]["style"] == {"mean_change": 4.0, "mean_size_of_change": 4.0}


def test_sample_depends_on_the_texts_alone(model_server):
    """The order of rows does not matter, a second run costs nothing, and the plan counts the calls."""
    server, model = model_server()
    judge = kb.Judge(model=model, metamorphic="20%")
    (planned,) = plan(_rows(50), [judge])[0].calls
    judge(_rows(50))
    assert len(server.log) == planned.to_send
    assert 50 + 3 * 3 < len(server.log) < 50 + 3 * 25
    judge(_rows(50).select(range(49, -1, -1)))
    assert len(server.log) == planned.to_send


def test_variant_without_a_verdict_is_counted_and_fails_no_row(model_server):
    """The rows have their verdicts; that the server refused a variant stands in the facts."""
    _, model = model_server(script=lambda call: "context-length" if "# difficulty: low" in call.prompt else "ok")
    done = run(_rows(4), [kb.Judge(model=model, metamorphic="100%")])
    assert not done.failed
    planted = done.records[0].facts["metamorphic"]["changes"]["comment 'difficulty: low' planted"]
    assert (planted["rows"], planted["failed"]) == (0, 4)


def test_empty_sample_is_said(model_server):
    """A share too small for the rows is noted."""
    _, model = model_server()
    done = run(evals([1.0]), [kb.Judge(model=model, metamorphic="0.0001%")])
    assert "no row fell into the sample" in done.records[0].notes[0]


@pytest.mark.parametrize("share", ["5", "0", "some", "-1%", "nan"])
def test_share_that_is_none_is_refused(share):
    """Before any row is looked at."""
    with pytest.raises(UsageError, match="expected a share of the rows"):
        kb.apply(evals([1.0]), kb.Judge(model="http://127.0.0.1:9/v1#x", metamorphic=share))


def test_every_model_of_a_panel_is_probed(model_server):
    """On the same rows, with figures of its own."""
    _, credulous = model_server(reply=_credulous)
    _, other = model_server()
    models = (credulous.replace("test-model", "credulous"), other.replace("test-model", "other"))
    done = run(_rows(3), [kb.Judge(judge="panel", models=models, metamorphic="100%")])
    facts = done.records[0].facts["judges"]
    assert {name: found["metamorphic"]["rows"] for name, found in facts.items()} == {"credulous": 3, "other": 3}
    assert [note.partition(":")[0] for note in done.records[0].notes] == ["credulous", "other"]
