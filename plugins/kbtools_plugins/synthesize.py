"""The stage `synthesize`: modules become rollouts in the evals layout, by a model that is asked to write the kernel.

The reasoning goes into its own field and the answer into the content; the reward is null until `verify` has looked.
One turn is asked for: a row's later turns would come from `follow_up`, with the verifier's error in the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import kbtools as kb
from kbtools.data import texts
from kbtools.data.columns import evals_features
from kbtools.data.conversations import reasoning
from kbtools.data.conversations.fields import merged
from kbtools.llm import REPEAT, RowFailure, RowInputs, TextGenerationStage, found_paths, refuse_failures, refuse_nulls
from kbtools.models.contract import ParsedReply
from kbtools.models.request import Request

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

TASK = "kernelbook-triton"


class Synthesize(TextGenerationStage):
    """Have a model write a Triton kernel for every module; the result is rollouts in the evals layout."""

    name: ClassVar[str] = "synthesize"
    suffix: ClassVar[str] = "rollouts"
    scope: ClassVar[kb.stage.Scope] = "row"

    template: str = "triton-conversion"
    """Prompt that asks for the kernel."""
    tag: reasoning.TagRule = "required"
    """Whether a reply needs answer tags, which the prompt asks for; a prompt of your own may not."""
    rollouts: int = 1
    """Rollouts per module."""

    def repeats(self) -> int:
        """One row for each rollout."""
        if self.rollouts < 1:
            raise kb.errors.UsageError(f"--rollouts {self.rollouts}: at least one per module is needed.")
        return self.rollouts

    def main_column(self) -> str:
        """The conversation's answer."""
        return "completion"

    def paths(self, features: Features) -> dict[str, str]:
        """The reference code and the name of the class that it defines."""
        schema = kb.Schema(features, self.columns)
        found = found_paths(self, features, ("reference_code", "module_name"))
        more = {role: schema.find(role) for role in ("row_id", "triton_code") if schema.has(role)}
        return {**found, **more}

    def new_features(self, features: Features) -> Features:
        """The evals layout, in its exact order."""
        self.repeats()
        return evals_features()

    def requests(self, inputs: RowInputs, model: str) -> Sequence[Request]:
        """One request for each rollout."""
        needed = {role: inputs[role] for role in ("reference_code", "module_name")}
        refuse_nulls(needed)
        needed["module_name"] = class_name(inputs["module_name"] or "", inputs["reference_code"] or "")
        return [self.question.about(needed, model, int(inputs.get(REPEAT) or 0))]

    def parse(self, inputs: RowInputs, replies: Sequence[ParsedReply]) -> Mapping[str, Any]:
        """The prompt that was sent, and the completion with its reasoning apart."""
        refuse_failures(replies)
        (settled,) = replies
        reply = settled.reply
        if reply is None:
            raise RowFailure("missing", "no reply is stored")
        reading = reply.reading()
        try:
            parsed = reasoning.parse(reading.text or "", reasoning.Rules(tag=self.tag))
        except reasoning.ReasoningError as error:
            raise RowFailure(error.kind, f"no answer can be taken from the reply: {error}") from error
        thought = merged([reading.reasoning, parsed.reasoning])
        turn = {"role": "assistant", "content": parsed.content, "reasoning": thought}
        sent = [message._asdict() for message in settled.request.messages]
        return {"prompt": sent, "completion": [turn], "generation_ms": reply.seconds * 1000}

    def to_table(self, table: pa.Table, values: Sequence[Mapping[str, Any] | None], features: Features) -> pa.Table:
        """Rows of the evals layout; what was not measured is null."""
        import datasets
        import pyarrow as pa

        paths = self.paths(datasets.Features.from_arrow_schema(table.schema))
        found = {role: texts.of_column(table, path) for role, path in paths.items()}
        rows = [
            _row({role: column[index] for role, column in found.items()}, value or {})
            for index, value in enumerate(values)
        ]
        return pa.Table.from_pylist(rows, schema=features.arrow_schema)


def class_name(module_name: str, code: str) -> str:
    """The class that the code defines: KernelBench calls each one Model, and the row by the name of its problem."""
    classes = re.findall(r"^class\s+(\w+)", code, re.MULTILINE)
    return "Model" if module_name not in classes and "Model" in classes else module_name


def _row(inputs: Mapping[str, str | None], value: Mapping[str, Any]) -> dict[str, Any]:
    row_id = inputs.get("row_id") or ""
    triton = inputs.get("triton_code")
    return {
        "example_id": int(row_id) if row_id.lstrip("-").isdigit() else None,
        "prompt": value.get("prompt"),
        "completion": value.get("completion"),
        "task": TASK,
        "generation_ms": value.get("generation_ms"),
        "info": {
            "module_name": inputs["module_name"],
            "python_code": inputs["reference_code"],
            "triton_code": triton,
        },
        "answer": triton,
        "num_turns": 1.0,
    }
