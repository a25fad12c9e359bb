"""A real `vllm serve` on the CPU or a GPU, judged end to end: start, structured replies, logprobs, stop.

    python -m benchmarks.models_vllm_serve MODEL_DIR --dtype bfloat16 --enforce-eager --max-model-len 2048

Not a test, because vLLM is too large to be installed for tests. On a CPU set VLLM_CPU_KVCACHE_SPACE=2; the first
request takes half a minute. Prints the rate, the share of usable replies, and whether a second run made no call.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from pathlib import Path

from kbtools.models import (
    JsonContract,
    Options,
    Repairing,
    ResponseStore,
    Sampling,
    chat,
    parse_replies,
    resolve_model,
    run_requests,
)

CONTRACT = JsonContract(
    {
        "type": "object",
        "properties": {
            "difficulty": {"enum": ["low", "medium", "high"]},
            "score": {"type": "integer", "minimum": 0, "maximum": 10},
        },
        "required": ["difficulty", "score"],
        "additionalProperties": False,
    }
)
MODULES = ["torch.relu(x)", "torch.softmax(x, -1)", "self.conv(x)", "x @ self.weight.T", "x.sum(1)"]


def main(path: str, options: list[str], count: int = 40) -> None:
    backend = resolve_model(f"serve:{shlex.join([path, *options])}")
    sampling = Sampling(temperature=0, max_tokens=60, logprobs=True, top_logprobs=3)
    requests = [
        chat(
            backend.model,
            [{"role": "user", "content": f"How hard is `{MODULES[i % 5]}` (case {i}) as a Triton kernel?"}],
            sampling=sampling,
            response_format=CONTRACT.response_format("difficulty"),
        )
        for i in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder, ResponseStore(Path(folder) / "s.sqlite") as store:
        try:
            run_requests(requests[:1], backend, store, review=Repairing(CONTRACT))
            began = time.perf_counter()
            progress = run_requests(requests, backend, store, Options(max_in_flight=16), review=Repairing(CONTRACT))
            seconds = time.perf_counter() - began
        finally:
            backend.close()
        rows = parse_replies(CONTRACT, requests, store)
        again = run_requests(requests, backend, store, Options(repeat_failures=False), review=Repairing(CONTRACT))
        backend.close()
    usable = [row for row in rows if row.failure is None]
    print(
        f"{progress.sent / seconds:.1f} requests/s, {len(usable)} of {count} usable, {again.sent} calls in a second run"
    )
    print(f"failures: {dict(progress.failures)}; first reply: {rows[0].raw!r}")
    if rows[0].reply is not None:
        print(f"first token and alternatives: {rows[0].reply.reading().logprobs[0]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
