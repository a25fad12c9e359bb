"""The backend for local generation with transformers, on a GPU if there is one: for small models and for tests.

One request at a time, so that a reply does not depend on its neighbours; for throughput there is vLLM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kbtools.errors import ConfigError, MissingExtra, UsageError
from kbtools.models.backend import ChunkRun
from kbtools.models.backends.completion import Token, completion
from kbtools.models.kinds import Kind
from kbtools.models.reply import Answer
from kbtools.models.request import Request
from kbtools.wording import counted

KNOWN = frozenset({"temperature", "top_p", "max_tokens", "seed", "stop", "logprobs", "top_logprobs"})


class HfBackend:
    """A causal language model: a Hub name, a folder, or a GGUF file."""

    chunk_size = 16

    def __init__(self, path: str, model: str) -> None:
        self.model = model
        self.endpoint = f"hf:{model}"
        self._path = path
        self._loaded: tuple[Any, object] | None = None

    def close(self) -> None:
        """Let go of the weights."""
        self._loaded = None

    def complete(self, requests: Sequence[Request], run: ChunkRun) -> Iterator[tuple[Request, Answer]]:
        """Generate for one request after the other."""
        model, tokenizer = self._model()
        for request in requests:
            if run.stopping():
                return
            yield request, self._answer(model, tokenizer, request)

    def _answer(self, model: Any, tokenizer: Any, request: Request) -> Answer:
        import torch

        fields = request.terms.wire_sampling(request.sample)
        template = fields.pop("chat_template_kwargs", {})
        if unknown := fields.keys() - KNOWN:
            raise UsageError(f"hf: models take no sampling parameter {sorted(unknown)}; they take {sorted(KNOWN)}")
        prompt = tokenizer.apply_chat_template(
            [message._asdict() for message in request.messages],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            **template,
        ).to(model.device)
        length = prompt["input_ids"].shape[1]
        room = model.config.max_position_embeddings - length
        if room < fields.get("max_tokens", 1):
            return Answer(Kind.CONTEXT_LENGTH, error=_too_long(length, fields.get("max_tokens"), length + room))
        if "seed" in fields:
            torch.manual_seed(fields["seed"])
        with torch.inference_mode():
            output = model.generate(**prompt, **_generation(fields, room), tokenizer=tokenizer)
        return self._read(output, length, fields, model, tokenizer)

    def _read(self, output: Any, length: int, fields: dict[str, Any], model: object, tokenizer: Any) -> Answer:
        generated = output.sequences[0, length:]
        text = tokenizer.decode(generated, skip_special_tokens=True)
        stops = [stop for stop in fields.get("stop", ()) if stop in text]
        for stop in stops:
            text = text.partition(stop)[0]  # servers leave the stop text out
        ended = bool(stops) or int(generated[-1]) in _end_tokens(model)
        return completion(
            self.model,
            text,
            "stop" if ended else "length",
            prompt_tokens=length,
            completion_tokens=len(generated),
            tokens=_tokens(output, generated, fields, tokenizer) if fields.get("logprobs") else None,
        )

    def _model(self) -> tuple[object, object]:
        if self._loaded is None:
            try:
                import torch
                from transformers import AutoModelForCausalLM, AutoTokenizer
            except ImportError as error:
                raise MissingExtra("hf", "running a model with transformers") from error
            place, gguf = _place(self._path)
            try:
                tokenizer = AutoTokenizer.from_pretrained(place, **gguf)
                model: Any = AutoModelForCausalLM.from_pretrained(place, **gguf)
            except (OSError, ValueError) as error:  # what transformers raises for a path, a Hub name or a config
                raise ConfigError(f"transformers could not load {self._path}: {error}") from error
            model.eval()
            self._loaded = model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer
        return self._loaded


def _place(path: str) -> tuple[str, dict[str, str]]:
    """The folder or Hub name, and the GGUF file in it if the path is one."""
    file = Path(path).expanduser()
    if file.suffix == ".gguf":
        return str(file.parent), {"gguf_file": file.name}
    return str(file) if file.exists() else path, {}


def _generation(fields: dict[str, Any], room: int) -> dict[str, object]:
    """Arguments of `generate`. Only a given temperature of 0 is greedy; without one the model's default decides."""
    arguments: dict[str, object] = {
        "max_new_tokens": fields.get("max_tokens", room),
        "return_dict_in_generate": True,
        "output_logits": bool(fields.get("logprobs")),
    }
    temperature = fields.get("temperature")
    if temperature == 0:
        arguments["do_sample"] = False
    elif temperature is not None:
        arguments |= {"do_sample": True, "temperature": float(temperature)}
    if "top_p" in fields and temperature != 0:
        arguments |= {"do_sample": True, "top_p": fields["top_p"]}
    if fields.get("stop"):
        arguments["stop_strings"] = list(fields["stop"])
    return arguments


def _end_tokens(model: Any) -> set[int]:
    end = model.generation_config.eos_token_id
    return set(end) if isinstance(end, list) else {end}


def _tokens(output: Any, generated: Any, fields: dict[str, Any], tokenizer: Any) -> list[Token]:
    """Log probabilities of the model itself, before temperature and top_p."""
    import torch

    tokens = []
    for token, logits in zip(generated, output.logits, strict=True):
        logprobs = torch.log_softmax(logits[0].float(), dim=-1)
        best = torch.topk(logprobs, fields.get("top_logprobs", 0))
        top = [(tokenizer.decode(int(index)), float(value)) for value, index in zip(*best, strict=True)]
        tokens.append(Token(tokenizer.decode(int(token)), float(logprobs[token]), top))
    return tokens


def _too_long(prompt: int, wanted: int | None, context: int) -> str:
    said, reply = counted(prompt, "token"), wanted or 1
    return f"the prompt has {said} and the reply may have {reply}; the model's context holds {context}"
