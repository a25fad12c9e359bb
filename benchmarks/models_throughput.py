"""Requests per second of the model engine, end to end, beside raw aiohttp and the openai SDK in the same run.

    python -m benchmarks.models_throughput --requests 2000

Every client asks the same scripted server (another process, 100 ms per reply) the same questions. "kbtools" plans the
requests, stores every reply on disk with fsync, and reads all of them back; the others only receive. Rounds alternate
between the clients, and the median is shown. Then the peak memory of the engine for growing numbers of requests.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from benchmarks.machine import write
from kbtools.models import JsonContract, Options, Repairing, Request, ResponseStore, chat, fulfil, settle
from kbtools.models.backends.http import HttpBackend
from kbtools.models.store import chunks

ROOT = Path(__file__).parents[1]
CONTRACT = JsonContract(
    {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "difficulty": {"enum": ["low", "medium", "high"]}},
        "required": ["reason", "difficulty"],
        "additionalProperties": False,
    }
)
FORMAT = CONTRACT.response_format("difficulty")
CODE = "class Model(nn.Module):\n    def forward(self, x):\n        return torch.relu(x) + 1\n" * 12


def messages(row: int) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "Rate how hard this module is to write as a kernel."},
        {"role": "user", "content": f"# row {row}\n{CODE}"},
    ]


def planned(count: int) -> Iterator[Request]:
    return (chat("test-model", messages(row), response_format=FORMAT) for row in range(count))


def run_kbtools(url: str, count: int, in_flight: int) -> None:
    with tempfile.TemporaryDirectory() as folder, ResponseStore(Path(folder) / "s.sqlite") as store:
        backend = HttpBackend(url, "test-model")
        options = Options(max_in_flight=in_flight)
        done = fulfil(planned(count), backend, store, options, review=Repairing(CONTRACT)).done
        usable = sum(
            row.fields is not None for chunk in chunks(planned(count), 1000) for row in settle(CONTRACT, chunk, store)
        )
        assert done == usable == count


def run_aiohttp(url: str, count: int, in_flight: int) -> None:
    async def main() -> None:
        limit = asyncio.Semaphore(in_flight)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask(row: int) -> str:
                body = {"model": "test-model", "messages": messages(row), "response_format": FORMAT}
                async with limit, session.post(f"{url}/chat/completions", json=body) as response:
                    content: str = (await response.json())["choices"][0]["message"]["content"]
                    return content

            assert len(await asyncio.gather(*(ask(row) for row in range(count)))) == count

    asyncio.run(main())


def run_openai(url: str, count: int, in_flight: int) -> None:
    import openai

    async def main() -> None:
        limit = asyncio.Semaphore(in_flight)
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def ask(row: int) -> str | None:
                async with limit:
                    reply = await client.chat.completions.create(
                        model="test-model", messages=messages(row), response_format=FORMAT
                    )
                    return reply.choices[0].message.content

            assert len(await asyncio.gather(*(ask(row) for row in range(count)))) == count

    try:
        asyncio.run(main())
    except openai.APITimeoutError as error:
        raise TimeoutError("the openai SDK gave up with its default timeouts") from error


CLIENTS: dict[str, Callable[[str, int, int], None]] = {
    "kbtools": run_kbtools,
    "aiohttp": run_aiohttp,
    "openai": run_openai,
}


@contextmanager
def server(delay: float) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.servers.openai_server", "--delay", str(delay)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def rates(url: str, count: int, levels: list[int], rounds: int) -> list[dict[str, object]]:
    rows = []
    for level in levels:
        seconds: dict[str, list[float]] = {name: [] for name in CLIENTS}
        for _ in range(rounds):
            for name, run in CLIENTS.items():
                began = time.perf_counter()
                try:
                    run(url, count, level)
                except TimeoutError as error:
                    print(f"in flight {level:5}  {name}: {error}", flush=True)
                else:
                    seconds[name].append(time.perf_counter() - began)
        medians = {name: round(count / statistics.median(taken), 1) for name, taken in seconds.items() if taken}
        rows.append({"in_flight": level, "requests": count, "requests_per_second": medians, "seconds": seconds})
        ratio = medians["kbtools"] / medians["aiohttp"]
        shown = "  ".join(f"{name} {rate:8.1f}" for name, rate in medians.items())
        print(f"in flight {level:5}  requests/s: {shown}   kbtools/aiohttp {ratio:.2f}", flush=True)
    return rows


MEMORY = """
import resource, sys
from benchmarks.models_throughput import planned
from kbtools.models import Options, ResponseStore, fulfil
from kbtools.models.backends.http import HttpBackend
url, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with ResponseStore(path) as store:
    fulfil(planned(count), HttpBackend(url, "test-model"), store, Options(max_in_flight=256))
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
"""


def memory(url: str, counts: list[int]) -> list[dict[str, int]]:
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", MEMORY, url, f"{folder}/s.sqlite", str(count)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        rows.append({"requests": count, "peak_mib": int(done.stdout)})
        print(f"{count:7} requests: peak {int(done.stdout)} MiB", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, nargs="*", default=[64, 256, 1024])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[2_000, 20_000, 200_000])
    arguments = parser.parse_args()
    result: dict[str, object] = {}
    with server(0.1) as url:
        result["throughput"] = rates(url, arguments.requests, arguments.in_flight, arguments.rounds)
    with server(0.0) as url:
        result["memory"] = memory(url, arguments.memory)
    print(f"wrote {write('models_throughput', result)}")


if __name__ == "__main__":
    main()
