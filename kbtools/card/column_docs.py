"""What the columns of the known layouts mean, and what the labels of judges mean: from the judges themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kbtools.plugins import registry

COLUMNS: Mapping[str, str] = {
    "example_id": "Number of the row in the source.",
    "uuid": "Number of the row in the source.",
    "prompt": "What the model was asked, as messages.",
    "completion": "What the model answered, as messages; `reasoning` is what it thought before answering.",
    "messages": "The whole conversation.",
    "task": "Name of the task that made the row.",
    "reward": "Reward of the rollout; for kernels a speedup that counts only when the result was right.",
    "speedup_reward": "The part of the reward that comes from speed.",
    "generation_ms": "Time to generate the completion, in ms.",
    "scoring_ms": "Time to score it, in ms.",
    "total_ms": "Time for both, in ms.",
    "info": "The module that the row is about: its name, PyTorch code and Triton code.",
    "answer": "Reference answer of the task, where there is one.",
    "num_turns": "Turns of the conversation.",
    "oai_tools": "Tools that the model was offered, as JSON.",
    "entry_point": "Name of the reference class; the kernel's class is called that with `New` appended.",
    "original_triton_code": "Triton code before it was cleaned.",
    "python_code": "The PyTorch module that is to be replaced.",
    "triton_code": "Triton code for it, as the source has it.",
    "repo_name": "Repository that the module comes from.",
    "module_name": "Name of the module.",
    "synthetic": "Whether the module was made up rather than found.",
    "licenses": "Licences of the repository that the module comes from.",
    "stars": "Stars of that repository.",
    "sha": "Commit of that repository.",
    "repo_link": "Address of that repository.",
    "contaminated_by": "Evaluation set and problem that the row holds; null where it holds none.",
    "contamination_kind": "How: exact, operators (the same in the same order), contained, or only similar.",
    "contamination_score": "Weighted share of the problem's code that the row holds; 1 where it is the same.",
    "contamination_where": "Where the problem is: reference_code, prompt or completion.",
    "near_cluster": "Rows that chains of near-duplicates connect have the same value: a key to split by.",
    "near_kept": "Whether near-dedup would keep the row.",
    "near_similarity": "Jaccard similarity of a row that it would not keep with the nearest better one that it would.",
    "evaluation_raw": "A judgement as it was given: a model's whole reply, or the reasons in words.",
}


def _meaning(name: str, declared: Mapping[str, Any]) -> str:
    own = declared[name].description if name in declared else None
    return own or f"The judge's {name}."


def of_judges(stages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Meaning of each column that a judge of the chain added."""
    from kbtools.judge import Judge

    found: dict[str, str] = {}
    for fields in stages:
        judge = registry().class_of(fields)
        if judge is not None and issubclass(judge, Judge):
            one = judge(**{key: value for key, value in fields.items() if key != "stage"})
            prefix = fields.get("prefix", "")
            declared = one.verdict.model_fields
            found |= {prefix + name: _meaning(name, declared) for name in one.fields()}
    return found
