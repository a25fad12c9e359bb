"""verl's own reader of prompts on a file of ours: `python read_with_verl.py TOKENIZER FILE`."""

from __future__ import annotations

import json
import sys

from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.utils.dataset.rl_dataset import RLHFDataset


def main(tokenizer_folder: str, file: str) -> None:
    """Every row as verl hands it to a rollout."""
    config = OmegaConf.create({"max_prompt_length": 4096, "filter_overlong_prompts_workers": 1, "cache_dir": "verl"})
    rows = RLHFDataset(data_files=file, tokenizer=AutoTokenizer.from_pretrained(tokenizer_folder), config=config)
    first = rows[0]
    kept = {key: first[key] for key in ("data_source", "reward_model", "raw_prompt", "index", "ability")}
    print("READ", json.dumps({"rows": len(rows), "first": kept}, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
