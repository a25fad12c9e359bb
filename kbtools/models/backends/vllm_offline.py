"""The backend for offline vLLM: `vllm.LLM.chat` in this process, a chunk at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from kbtools.errors import ConfigError, MissingExtra, UsageError
from kbtools.models.backend import ChunkRun
from kbtools.models.backends.completion import Token, completion
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request, canonical_json


class VllmBackend:
    """A model in this process. `options` are those of `vllm serve` that concern the engine."""

    chunk_size = 512
    """Enough to keep the engine's batches full, few enough that a kill loses little."""

    def __init__(self, path: str, model: str, options: Sequence[str] = ()) -> None:
        self.model = model
        self.endpoint = f"vllm:{model}"
        self._path = path
        self._options = tuple(options)
        self._engine: Any = None
        self._began: float | None = None

    def waiting_for(self) -> str:
        """Since when the weights are being loaded."""
        began = self._began
        return "" if began is None else f"vLLM is loading {self._path}, {time.monotonic() - began:.0f} s so far"

    def close(self) -> None:
        """Let go of the weights."""
        self._engine = None

    def complete(self, requests: Sequence[Request], run: ChunkRun) -> Iterator[tuple[Request, Answer]]:
        """Generate for requests."""
        return self.answers(requests, run.stopping)

    def answers(self, requests: Sequence[Request], stopping: Callable[[], bool]) -> Iterator[tuple[Request, Answer]]:
        """Generate for requests, grouped by the chat template arguments, which vLLM takes per call."""
        engine = self._loaded()
        for _, group in groupby(sorted(requests, key=_template_arguments), key=_template_arguments):
            if stopping():
                return
            yield from self._chat(engine, list(group))

    def _chat(self, engine: Any, requests: list[Request]) -> Iterator[tuple[Request, Answer]]:
        template = requests[0].sampling.extra.get("chat_template_kwargs")
        try:
            outputs = engine.chat(
                [[message._asdict() for message in request.messages] for request in requests],
                [_sampling(engine, request) for request in requests],
                use_tqdm=False,
                chat_template_kwargs=template,
            )
        except _rejections() as error:
            # vLLM rejects the whole call for one prompt that is too long: find it, and answer the others.
            if len(requests) == 1:
                # Both kinds are final, so only the name of the failure hangs on the text.
                too_long = "context length" in str(error) or "model length" in str(error)
                kind = Kind.CONTEXT_LENGTH if too_long else Kind.BAD_REQUEST
                yield requests[0], Answer(kind, error=str(error))
                return
            middle = len(requests) // 2
            yield from self._chat(engine, requests[:middle])
            yield from self._chat(engine, requests[middle:])
            return
        for request, output in zip(requests, outputs, strict=True):
            yield request, _answer(self.model, request, output)

    def _loaded(self) -> Any:
        if self._engine is None:
            try:
                from vllm import LLM, EngineArgs
                from vllm.utils.argparse_utils import FlexibleArgumentParser
            except ImportError as error:
                raise MissingExtra("vllm", "running a model with vLLM") from error
            parser = EngineArgs.add_cli_args(FlexibleArgumentParser())
            arguments = vars(parser.parse_args(["--model", self._path, *self._options]))
            self._began = time.monotonic()
            try:
                self._engine = LLM(**arguments)
            except Exception as error:  # whatever vLLM finds wrong with a model, an option or the machine
                raise ConfigError(f"vLLM could not load {self._path}: {error}") from error
            finally:
                self._began = None
        return self._engine


def _rejections() -> tuple[type[Exception], ...]:
    """What vLLM raises for a prompt that it does not take; newer versions have a class for it."""
    try:
        from vllm.exceptions import VLLMClientError
    except ImportError:
        return (ValueError,)
    return (ValueError, VLLMClientError)


def _template_arguments(request: Request) -> str:
    return canonical_json(request.sampling.extra.get("chat_template_kwargs"))


def _sampling(engine: Any, request: Request) -> object:
    """vLLM's sampling parameters: the model's own defaults, as `vllm serve` uses them, and the request's."""
    from vllm.sampling_params import StructuredOutputsParams

    fields = request.terms.wire_sampling(request.sample)
    fields.pop("chat_template_kwargs", None)
    wanted, top = fields.pop("logprobs", None), fields.pop("top_logprobs", 0)
    parameters = engine.get_default_sampling_params()
    parameters.max_tokens = None
    parameters.logprobs = top if wanted else None
    if request.response_format is not None and request.response_format["type"] == "json_schema":
        schema = request.response_format["json_schema"]["schema"]
        parameters.structured_outputs = StructuredOutputsParams(json=schema)
    for name, value in fields.items():
        if not hasattr(parameters, name):
            raise UsageError(f"offline vLLM knows no sampling parameter {name!r}")
        setattr(parameters, name, list(value) if name == "stop" else value)
    return parameters


def _answer(model: str, request: Request, output: Any) -> Answer:
    generated = output.outputs[0]
    tokens = None
    if generated.logprobs is not None:
        tokens = [
            Token(
                step[token].decoded_token,
                step[token].logprob,
                [(entry.decoded_token, entry.logprob) for entry in step.values()],
            )
            for token, step in zip(generated.token_ids, generated.logprobs, strict=False)
        ]
    return completion(
        model,
        generated.text,
        generated.finish_reason,
        prompt_tokens=None if output.prompt_token_ids is None else len(output.prompt_token_ids),
        completion_tokens=len(generated.token_ids),
        tokens=tokens,
    )
