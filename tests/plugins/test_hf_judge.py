"""A whole judgement by a real small model on this machine: no server, no network."""

import pytest

import kbtools as kb
from kbtools.models import ResponseStore
from kbtools.models.store import maintenance
from kbtools.pipeline import run
from tests.rows import evals
from tests.small_model import weights

MOST_TOKENS = 12
RUBRIC = """---
description: A colour, as small models can say one.
columns: [module_name]
reply:
  type: object
  additionalProperties: false
  required: [colour]
  properties:
    colour: {type: string}
model: {temperature: 0.0, max_tokens: 12}
---
{# role: user #}
Reply with exactly this and nothing else: <colour>blue</colour>. {{ module_name }}
"""


@pytest.mark.slow
def test_small_model_judges_without_a_server(tmp_path):
    """What it says becomes a verdict or a failure that is named, and is stored either way."""
    (tmp_path / "colour.j2").write_text(RUBRIC)
    judge = kb.Judge(rubric="colour.j2", model=f"hf:{weights()}", form="tags", on_error="null")
    row = run(evals([1.0]), [judge]).dataset[0]
    assert (row["colour"] is None) != (row["colour_error"] is None)
    assert row["colour"] is None or f"<colour>{row['colour']}</colour>" in row["evaluation_raw"]
    assert row["colour_error"] is None or row["colour_error"].startswith(("invalid: ", "truncated: "))
    with ResponseStore() as store:
        (first, *repair) = maintenance.ls(store)
    assert first.ok
    assert 0 < first.reading().usage.completion <= MOST_TOKENS
    assert len(repair) <= 1
