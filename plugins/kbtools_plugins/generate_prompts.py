"""The stage `generate-prompts`: from the reference code of a module to the text of a task that a model can be given.

A generated prompt must name the class that is asked for and must not give the reference away; one that does either
wrong is a failure of its row like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

import kbtools as kb
from kbtools.data.table import field_of
from kbtools.llm import (
    REPEAT,
    Further,
    RowFailure,
    RowInputs,
    TextGenerationStage,
    found_paths,
    refuse_failures,
    refuse_nulls,
)
from kbtools.llm.parts import RowValues
from kbtools.models.request import Request
from kbtools.models.settled import ParsedReply

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

LEAK_LINES = 4
"""So many successive lines of the module's code, blank lines and signatures aside, give the reference away."""
KEPT = {"module_name": "module_name", "python_code": "reference_code", "triton_code": "triton_code"}
"""Columns of the result beside the prompt, and the roles that they hold."""


class GeneratePrompts(TextGenerationStage):
    """Have a model write a task prompt for every module; the result has the columns of synthetic-tasks."""

    name: ClassVar[str] = "generate-prompts"
    suffix: ClassVar[str] = "synthetic"
    scope: ClassVar[kb.stage.Scope] = "row"

    template: str = "task-prompt"
    """Prompt that asks for the task prompt."""
    samples: int = Field(1, ge=1)
    """Task prompts per module, each in other words."""

    def further(self) -> Further:
        """One row for each phrasing."""
        return Further(times=self.samples)

    def main_column(self) -> str:
        """The generated text."""
        return "prompt"

    def paths(self, features: Features) -> dict[str, str]:
        """The reference code, which the model is shown, and the module's name."""
        return found_paths(self, features, ("reference_code", "module_name"))

    def new_features(self, features: Features) -> Features:
        """prompt, module_name, python_code, and triton_code and uuid where the input has them."""
        import datasets

        texts = dict.fromkeys(["prompt", *self._kept(features)], datasets.Value("string"))
        uuid = {"uuid": features["uuid"]} if "uuid" in features else {}
        return type(features)({**texts, **uuid})

    def _kept(self, features: Features) -> dict[str, str]:
        schema = kb.Schema(features, self.columns)
        return {name: schema.find(role) for name, role in KEPT.items() if schema.has(role)}

    def requests(self, inputs: RowInputs, model: str) -> Sequence[Request]:
        """One request for each phrasing."""
        refuse_nulls(inputs)
        values = {name: text for name, text in inputs.items() if name != REPEAT}
        return [self.question.about(values, model, int(inputs.get(REPEAT) or 0))]

    def parse(self, inputs: RowInputs, replies: Sequence[ParsedReply]) -> RowValues:
        """The prompt, once it names the class and is seen to hold no code of the reference."""
        refuse_failures(replies)
        text = (replies[0].fields or {})["text"]
        wanted = f"{inputs['module_name']}New"
        if wanted not in text:
            raise RowFailure("class-not-named", f"the prompt does not name the class {wanted}; it begins {text[:80]!r}")
        if leaked := leaked_code(text, inputs["reference_code"] or ""):
            raise RowFailure("gives-code-away", f"the prompt repeats code of the module: {leaked[:80]!r}")
        return {"prompt": text}

    def to_table(self, table: pa.Table, values: Sequence[RowValues | None], features: Features) -> pa.Table:
        """The columns of synthetic-tasks."""
        import datasets
        import pyarrow as pa

        kept = self._kept(datasets.Features.from_arrow_schema(table.schema))
        columns: dict[str, object] = {"prompt": pa.array([value and value["prompt"] for value in values], pa.string())}
        columns.update({name: field_of(table, path) for name, path in kept.items()})
        if "uuid" in features:
            columns["uuid"] = table.column("uuid")
        return pa.table(columns)


def leaked_code(text: str, code: str) -> str | None:
    """A passage of the code that the text repeats: a fenced block, or several lines in a row; else None."""
    if "```" in text:
        return text[text.index("```") :]
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    said = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    for start in range(len(lines) - LEAK_LINES + 1):
        passage = lines[start : start + LEAK_LINES]
        if not any(line.startswith(("def ", "class ", "import ", "from ")) for line in passage):
            joined = "\n".join(passage)
            if joined in said:
                return joined
    return None
