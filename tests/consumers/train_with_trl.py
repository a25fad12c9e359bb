"""One step of TRL's trainers on files of ours: `python train_with_trl.py TOKENIZER sft=FILE dpo=FILE grpo=FILE`.

The models are tiny, of random weights and made here; files are given to the trainers as `load_dataset` reads them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from datasets import load_dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

SEEN: list[str] = []


def length(completions: list[Any], task: list[str], **_: Any) -> list[float]:
    """A reward that gets the column `task`, as that of `kbtools env` does."""
    SEEN.extend(task)
    return [float(len(completion[-1]["content"]) % 7) for completion in completions]


def trainer_of(kind: str, file: str, tokenizer: Any, folder: Path) -> Any:
    """A trainer of this kind over the rows of a file, with a model that is made on the spot."""
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 16384,
    }
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder / "model")
    model = str(folder / "model")
    rows = load_dataset("parquet", data_files=file, split="train")
    given = {"train_dataset": rows, "processing_class": tokenizer}
    same: dict[str, Any] = {"output_dir": str(folder), "max_steps": 1, "report_to": [], "use_cpu": True, "bf16": False}
    if kind == "sft":
        return SFTTrainer(model, args=SFTConfig(**same, per_device_train_batch_size=1, max_length=None), **given)
    if kind == "dpo":
        return DPOTrainer(model, args=DPOConfig(**same, per_device_train_batch_size=1, max_length=None), **given)
    config = GRPOConfig(**same, per_device_train_batch_size=2, num_generations=2, max_completion_length=4)
    return GRPOTrainer(model, length, args=config, **given)


def main(tokenizer_folder: str, *jobs: str) -> None:
    """Prepare each dataset and train on it for one step; says what was trained on."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.pad_token = tokenizer.eos_token
    for number, job in enumerate(jobs):
        kind, file = job.split("=")
        trainer = trainer_of(kind, file, tokenizer, Path(f"trained-{number}"))
        trainer.train()
        losses = [entry["train_loss"] for entry in trainer.state.log_history if "train_loss" in entry]
        done = {"kind": kind, "rows": len(trainer.train_dataset), "steps": trainer.state.global_step, "losses": losses}
        print("DONE", json.dumps(done))
    print("TASKS", json.dumps(sorted(set(SEEN))))


if __name__ == "__main__":
    main(*sys.argv[1:])
