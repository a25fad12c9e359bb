"""verl's own reward manager with the reward function of `kbtools env`: `python score_with_verl.py TOKENIZER REWARDS`.

A server of two lines stands in for `kbtools serve-verify`, whose verdicts have tests of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import torch
from omegaconf import OmegaConf
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from verl import DataProto
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
from verl.trainer.ppo.reward import get_custom_reward_fn

REWARDS = {"Scale": 1.0, "Softmax": 0.0}


class Server(BaseHTTPRequestHandler):
    """Rewards by the name of the task."""

    def do_POST(self) -> None:
        """Answer as `kbtools serve-verify` does."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"key": "k", "task": asked["task"], "verdict": "x", "reward": REWARDS[asked["task"]]}
        body = json.dumps(answer | {"finding": "", "kernels": {}, "max_error": None, "speedup": None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def rollout(tokenizer: PreTrainedTokenizerBase, task: str) -> DataProto:
    """One answer as verl hands it to its reward manager."""
    tokens = torch.tensor([tokenizer.encode("a kernel", add_special_tokens=False)])
    return DataProto.from_dict(
        {"responses": tokens, "attention_mask": torch.ones_like(tokens)},
        non_tensors={
            "data_source": np.array(["kernels"], object),
            "reward_model": np.array([{"style": "rule", "ground_truth": task}], object),
            "extra_info": np.array([{}], object),
        },
    )


async def scored(tokenizer: PreTrainedTokenizerBase, rewards: str) -> dict[str, float]:
    """The reward of an answer to each task."""
    config = OmegaConf.create({"reward": {"custom_reward_function": {"path": rewards, "name": "compute_score"}}})
    manager = NaiveRewardManager(config, tokenizer, get_custom_reward_fn(config))
    return {task: (await manager.run_single(rollout(tokenizer, task)))["reward_score"] for task in REWARDS}


def main(tokenizer_folder: str, rewards: str) -> None:
    """Score beside a server that is there as long as this takes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ["KBTOOLS_SERVE_URL"] = f"http://127.0.0.1:{server.server_port}"
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
        print("SCORED", json.dumps(asyncio.run(scored(tokenizer, rewards))))
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
