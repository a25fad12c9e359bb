"""A stand-in for the package `vllm`, with the names and shapes of vLLM 0.32 that the offline backend uses.

Replies are instances of the schema asked for, or a fixed text. `made` and `calls` keep what came in.
"""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from tests.servers.openai_replies import instance
from vllm.exceptions import VLLMClientError
from vllm.sampling_params import SamplingParams

made: list[dict[str, Any]] = []
calls: list[list[Any]] = []


class EngineArgs:
    """Options of the engine."""

    @staticmethod
    def add_cli_args(parser: ArgumentParser) -> ArgumentParser:
        parser.add_argument("--model")
        parser.add_argument("--max-model-len", type=int, default=10_000)
        parser.add_argument("--dtype", default="auto")
        return parser


@dataclass
class Logprob:
    logprob: float
    rank: int
    decoded_token: str


@dataclass
class CompletionOutput:
    text: str
    token_ids: list[int]
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str


@dataclass
class RequestOutput:
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]


class LLM:
    """An engine; a model called `missing` cannot be loaded."""

    def __init__(self, model: str, max_model_len: int, dtype: str) -> None:
        made.append({"model": model, "max_model_len": max_model_len, "dtype": dtype})
        if model == "missing":
            raise OSError("missing is not a local folder and no model on the Hub")
        self.max_model_len = max_model_len

    def get_default_sampling_params(self) -> SamplingParams:
        return SamplingParams(temperature=0.6)

    def chat(
        self,
        messages: list[list[dict[str, str]]],
        sampling_params: list[SamplingParams],
        use_tqdm: bool = True,
        *,
        chat_template_kwargs: dict[str, Any] | None = None,
    ) -> list[RequestOutput]:
        calls.append([*zip(messages, sampling_params, strict=True)])
        lengths = [sum(len(turn["content"]) for turn in conversation) for conversation in messages]
        if max(lengths) > self.max_model_len:
            raise VLLMClientError(f"The prompt is longer than the maximum model length of {self.max_model_len}.")
        return [_output(length, params) for length, params in zip(lengths, sampling_params, strict=True)]


def _output(length: int, params: SamplingParams) -> RequestOutput:

    shape = params.structured_outputs
    text = "a reply" if shape is None else json.dumps(instance(shape.json, length))
    logprobs = None
    if params.logprobs is not None:
        top = {token: Logprob(math.log(0.5), token + 1, text) for token in range(max(1, params.logprobs))}
        logprobs = [top]
    return RequestOutput([1] * length, [CompletionOutput(text, [0], logprobs, "stop")])
