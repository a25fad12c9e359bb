"""Stage lengths against `tokenizers` batch encoding alone: tokens per second, and memory as the dataset grows.

    python benchmarks/lengths.py [--rows 500] [--tokens 12000] [--name lengths]

The conversations are made of Python's own standard library; the tokenizer (byte-level BPE, 32,000 tokens) is trained on
it first. Every job runs in a process of its own. The baseline times nothing but `encode_batch_fast` over texts that are
rendered and in memory; the stage is timed from the loaded dataset to the finished figures. Tokens are those of all
texts that are counted: whole conversation, prompt, reasoning, answer. Processor time is given beside wall time since it
does not depend on what else the machine does. Memory is the peak of the anonymous part (what is not a mapped file), and
is also taken at a quarter of the rows. 100 rows are compared with encoding text by text.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from machine import write

HERE = Path(__file__).resolve()
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = """{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' %}{{- '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}
{{- m.content + '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"""
PARTS = ("num_tokens", "num_tokens_prompt", "num_tokens_reasoning", "num_tokens_answer")


# ---- material -------------------------------------------------------------------------------------------------------


def corpus() -> str:
    """The source of the standard library, without its tests."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
    chosen = [file for file in files if not {"test", "tests", "site-packages"} & set(file.parts)]
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in chosen)


def make_tokenizer(folder: Path, text: str) -> None:
    """Train a tokenizer of the kind that today's models have."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    marks = ["<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=32_000, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text[at : at + 20_000] for at in range(0, len(text), 20_000)], trainer)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def rows(count: int, tokens: int, text: str) -> Iterator[dict[str, Any]]:
    """Conversations of about so many tokens, most of it reasoning, some much longer than others."""
    rng = random.Random(7)

    def piece(characters: int) -> str:
        start = rng.randrange(max(len(text) - characters, 1))
        return text[start : start + characters]

    for number in range(count):
        reasoning = int(min(rng.lognormvariate(0, 0.6), 6) / 1.18 * tokens * 3.1 * 0.7)
        answer = f"<answer>\n{piece(int(tokens * 3.1 * 0.2))}\n</answer>"
        yield {
            "example_id": number,
            "prompt": [{"role": "user", "content": piece(int(tokens * 3.1 * 0.1))}],
            "completion": [{"role": "assistant", "content": answer, "reasoning": piece(reasoning)}],
        }


def write_rows(path: Path, made: Iterator[dict[str, Any]]) -> None:
    """The rows as parquet, a part at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    while part := list(islice(made, 200)):
        table = pa.Table.from_pylist(part)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


# ---- jobs, each in its own process ----------------------------------------------------------------------------------


def baseline(path: Path, tokenizer: Path) -> dict[str, Any]:
    """`encode_batch_fast` alone, over the texts that the stage counts."""
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer

    counter = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    tokens, wall, cpu = 0, 0.0, 0.0
    for table in pq.ParquetFile(path).iter_batches(batch_size=32):
        texts = [text for row in table.to_pylist() for text in rendered(row)]
        began, used = time.perf_counter(), processor_time()
        tokens += sum(len(encoding) for encoding in counter.encode_batch_fast(texts, add_special_tokens=False))
        wall += time.perf_counter() - began
        cpu += processor_time() - used
    return {"tokens": tokens, "seconds": wall, "cpu": cpu}


def rendered(row: dict[str, Any]) -> list[str]:
    """Conversation, prompt, reasoning and answer as the template of this benchmark gives them."""
    (turn,) = row["completion"]
    prompt = f"<|im_start|>user\n{row['prompt'][0]['content']}<|im_end|>\n<|im_start|>assistant\n<think>\n"
    whole = f"{prompt}{turn['reasoning']}\n</think>\n\n{turn['content']}<|im_end|>\n"
    return [whole, prompt, turn["reasoning"], turn["content"]]


def stage(path: Path, tokenizer: Path, *, fast: bool) -> dict[str, Any]:
    """The whole stage, from the dataset on disk to the figures."""
    import kbtools as kb

    ds = kb.load(str(path))
    began, used = time.perf_counter(), processor_time()
    done = kb.Lengths(tokenizer=str(tokenizer), fast=fast).run(ds)
    seconds, cpu = time.perf_counter() - began, processor_time() - used
    counted = done.dataset.select_columns(list(PARTS)).to_pandas()
    check(done.dataset, tokenizer)
    return {
        "tokens": int(counted.to_numpy().sum()),
        "seconds": seconds,
        "cpu": cpu,
        "counter": done.facts["tokenizer"]["counter"],
        "mean": float(counted["num_tokens"].mean()),
    }


def check(ds: Any, tokenizer: Path) -> None:
    """Equal to encoding text by text."""
    from tokenizers import Tokenizer

    slow = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    for row in ds.select(range(0, ds.num_rows, max(ds.num_rows // 100, 1))):
        for text, part in zip(rendered(row), PARTS, strict=True):
            assert row[part] == len(slow.encode(text, add_special_tokens=False)), (row["example_id"], part)


def load(path: Path, tokenizer: Path) -> dict[str, Any]:
    """Turn the file into Arrow, so that the memory which that takes is not the stage's."""
    import kbtools as kb

    return {"rows": kb.load(str(path)).num_rows}


LOAD = "load"


def processor_time() -> float:
    """Seconds of all threads of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def watched(job: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The job's result and its peak of anonymous memory."""
    peak, stop = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.05):
            status = Path("/proc/self/status").read_text()
            peak = max(peak, int(status.partition("RssAnon:")[2].split()[0]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = job()
    finally:
        stop.set()
        watcher.join()
    return {**found, "peak_anonymous_mb": round(peak / 1024)}


JOBS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "tokenizers alone": baseline,
    "lengths, tokenizers": lambda path, tokenizer: stage(path, tokenizer, fast=False),
    "lengths, tokie": lambda path, tokenizer: stage(path, tokenizer, fast=True),
}


# ---- the run --------------------------------------------------------------------------------------------------------


def run_job(name: str, path: Path, tokenizer: Path, home: Path) -> dict[str, Any]:
    """One job in a process of its own, with the caches of this dataset."""
    words = [sys.executable, str(HERE), "--job", name, str(path), str(tokenizer)]
    environment = {**os.environ, "HF_HOME": str(home), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(count: int, tokens: int) -> dict[str, Any]:
    """Every job over all rows, the stages also over a quarter of them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        text = corpus()
        make_tokenizer(folder / "tokenizer", text)
        paths = {"whole": folder / "whole.parquet", "quarter": folder / "quarter.parquet"}
        write_rows(paths["whole"], rows(count, tokens, text))
        write_rows(paths["quarter"], rows(count // 4, tokens, text))
        for size, path in paths.items():
            run_job(LOAD, path, folder / "tokenizer", folder / size)
        results = {}
        for name in JOBS:
            sizes = paths if name != "tokenizers alone" else {"whole": paths["whole"]}
            for size, path in sizes.items():
                results[f"{name} ({size})"] = run_job(name, path, folder / "tokenizer", folder / size)
    return {"rows": count, "jobs": results}


def show(found: dict[str, Any]) -> None:
    """The table, each speed beside that of the baseline."""
    jobs = found["jobs"]
    base = jobs["tokenizers alone (whole)"]
    print(f"{found['rows']:,} conversations of {jobs['lengths, tokenizers (whole)']['mean']:,.0f} tokens on average")
    print(f"{'job':32} {'Mtok':>8} {'s':>8} {'Mtok/s':>7} {'ratio':>6} {'CPU s':>8} {'ratio':>6} {'anon MB':>8}")
    for name, job in jobs.items():
        speed, per_cpu = job["tokens"] / job["seconds"] / 1e6, job["tokens"] / job["cpu"] / 1e6
        ratio = speed / (base["tokens"] / base["seconds"] / 1e6)
        cpu_ratio = per_cpu / (base["tokens"] / base["cpu"] / 1e6)
        print(
            f"{name:32} {job['tokens'] / 1e6:8.1f} {job['seconds']:8.1f} {speed:7.2f} {ratio:6.2f} "
            f"{job['cpu']:8.1f} {cpu_ratio:6.2f} {job['peak_anonymous_mb']:8,}"
        )
    totals = {job["tokens"] for name, job in jobs.items() if "whole" in name}
    print("all jobs counted the same tokens" if len(totals) == 1 else f"the jobs disagree: {totals}")


def main() -> None:
    """Run everything, or, called by itself, one job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--tokens", type=int, default=12000, help="sets the size; the mean is printed")
    parser.add_argument("--name", default="lengths", help="of the file in results/")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        name, path, tokenizer = options.job
        job = JOBS.get(name, load)
        print(json.dumps(watched(lambda: job(Path(path), Path(tokenizer)))))
        return
    found = measure(options.rows, options.tokens)
    show(found)
    write(options.name, found)


if __name__ == "__main__":
    main()
