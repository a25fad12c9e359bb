"""verl's own reader of conversations on a file of ours: `python read_conversations_with_verl.py TOKENIZER FILE`."""

from __future__ import annotations

import json
import sys

from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset


def main(tokenizer_folder: str, file: str) -> None:
    """How many rows it makes training examples of, and how many tokens of the first are learned."""
    config = OmegaConf.create({"pad_mode": "no_padding", "max_length": 100_000, "ignore_input_ids_mismatch": True})
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    rows = MultiTurnSFTDataset(file, tokenizer, config)
    examples = [rows[number] for number in range(len(rows))]
    print("READ", json.dumps({"rows": len(examples), "learned": int(examples[0]["loss_mask"].sum())}))


if __name__ == "__main__":
    main(*sys.argv[1:])
