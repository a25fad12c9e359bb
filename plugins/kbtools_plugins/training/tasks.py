"""The stage `to-tasks`: one row a task, prompt and name, as trainers that sample their own answers take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import kbtools as kb
from kbtools.data.table import column, require_values
from kbtools.data.tasks import tasks_of
from kbtools_plugins.training.candidates import gathered
from kbtools_plugins.training.pairs import messages_feature

if TYPE_CHECKING:
    from datasets import Dataset, Features


class ToTasks(kb.Stage):
    """Make one row of each task, `prompt` and `task`, for training in which a model answers anew.

    The name is what `kbtools serve-verify` calls the task; references stay out, so that a reward has to ask the server:

        kbtools apply to-tasks --trainer verl --dataset rollouts.jsonl --out tasks.parquet
    """

    name: ClassVar[str] = "to-tasks"
    suffix: ClassVar[str] = "tasks"
    scope: ClassVar[kb.stage.Scope] = "split"

    trainer: Literal["trl", "verl"] = "trl"
    """Whose columns: `prompt` and `task` for TRL's GRPO, or those of verl's reader, with the name as ground truth."""
    per: str = "module_name"
    """Column with the names of the tasks."""

    def output_features(self, features: Features) -> Features:
        """The columns of the trainer; SchemaError where there is no prompt, name or reference."""
        import datasets

        self._prompt(features)
        text, prompt = datasets.Value("string"), messages_feature("drop")
        if self.trainer == "trl":
            return datasets.Features({"prompt": prompt, "task": text})
        return datasets.Features(
            {
                "data_source": text,
                "prompt": prompt,
                "ability": text,
                "reward_model": {"style": text, "ground_truth": text},
                "extra_info": {"index": datasets.Value("int64"), "task": text},
            }
        )

    def transform(self, ds: Dataset) -> kb.Result:
        """The first row of each task; the other rows of the task have become part of it."""
        import datasets

        features = self.output_features(ds.features)
        self._require_tasks(ds)
        tasks = {name: task.row for name, task in tasks_of(ds, self.per).items()} if ds.num_rows else {}
        prompts = gathered(self, ds, self._prompt(ds.features), list(tasks.values()), "user", "drop")
        rows = [self._row(index, name, prompt) for index, (name, prompt) in enumerate(zip(tasks, prompts, strict=True))]
        made = datasets.Dataset.from_dict({name: [row[name] for row in rows] for name in features}, features=features)
        made._fingerprint = self.fingerprint(ds, "tasks")
        return kb.Result(made, merged=ds.num_rows - made.num_rows, facts={"tasks": made.num_rows})

    def _row(self, index: int, task: str, prompt: list[dict[str, object]]) -> dict[str, object]:
        if self.trainer == "trl":
            return {"prompt": prompt, "task": task}
        return {
            "data_source": "kbtools",
            "prompt": prompt,
            "ability": "kernels",
            "reward_model": {"style": "rule", "ground_truth": task},
            "extra_info": {"index": index, "task": task},
        }

    def _prompt(self, features: Features) -> str:
        schema = kb.Schema(features, self.columns)
        schema.require(schema.locate(self.per), "scalar")
        schema.readable("reference_code")
        return schema.require(schema.find("prompt"), "messages")

    def _require_tasks(self, ds: Dataset) -> None:
        schema = kb.Schema(ds.features, self.columns)
        for path in (schema.locate(self.per), schema.find("reference_code"), schema.find("prompt")):
            missing = [row for row, value in enumerate(column(ds, path)) if not value.is_valid]
            require_values(ds, missing, path, "Drop these rows first with the stage filter.", self.columns)
