"""Rows per second of `judge` end to end, beside raw aiohttp and libcurl, the openai SDK and three others, in one run.

    python -m benchmarks.models_throughput --environments ~/.cache/kbtools-rivals

Every client asks the same local server (another process, 100 ms per reply) about the same rendered messages, one
request per row, and parses each reply to a label that is checked. kbtools also renders the prompts, stores every reply
on disk and makes the dataset with the labels. Each run is a process of its own with fresh caches; the time is that of
the call, imports aside. Rivals live in virtual environments that this script makes. At the larger sizes all but aiohttp
and kbtools run only at the level at which they were fastest before. Last, kbtools' memory for growing numbers of rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kbtools as kb
from benchmarks.machine import write
from benchmarks.rivals.environments import RIVALS, NotInstallable, python_of, versions_in
from benchmarks.rivals.measure import Client, measure

CODE = "    def step_{0}(self, x):\n        return torch.relu(x) * self.scale_{0} + {0}\n"
MODULE = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n" + "".join(
    CODE.format(i) for i in range(12)
)
BASELINE, OURS, BEFORE, MINIMAL = "aiohttp", "kbtools", "before", "minimal"
IN_TURNS = (BASELINE, OURS, BEFORE, MINIMAL)
OWN_CLIENTS = (BASELINE, OURS, MINIMAL, "pycurl", "openai")
NAMES = (*OWN_CLIENTS, *(rival.name for rival in RIVALS))


def code_of(row: int) -> str:
    """A module of about 1 KB with the mark that the server reads."""
    return f"# row {row}\n{MODULE}"


def write_rows(folder: Path, count: int) -> dict[str, Any]:
    """The rows as kbtools gets them and, rendered by its prompt, as all others do; what a job needs of them."""
    judge = kb.ModelJudge(rubric="difficulty@v2")
    rows, codes = folder / f"rows-{count}.jsonl", folder / f"codes-{count}.jsonl"
    with rows.open("w") as rendered, codes.open("w") as plain:
        for row in range(count):
            (request,) = judge.requests({"reference_code": code_of(row)}, "test-model")
            messages = [{"role": message.role, "content": message.content} for message in request.messages]
            rendered.write(json.dumps({"row": row, "messages": messages}) + "\n")
            plain.write(json.dumps({"row": row, "python_code": code_of(row)}) + "\n")
    shape = {"sampling": request.sampling.fields(), "response_format": request.response_format}
    return {"rows": str(rows), "codes": str(codes), **shape}


def clients(wanted: list[str], cache: Path) -> tuple[list[Client], dict[str, Any]]:
    """Who can run, and the versions of each rival or why it cannot."""
    found = [Client(name) for name in OWN_CLIENTS if name in wanted]
    told: dict[str, Any] = {}
    for rival in RIVALS:
        if rival.name in wanted:
            try:
                python = python_of(rival, cache)
            except NotInstallable as error:
                told[rival.name] = {"wanted": rival.packages, "not_installable": str(error)}
                print(f"{rival.name}: cannot be installed: {error}", flush=True)
            else:
                told[rival.name] = {**versions_in(python), **({"note": rival.note} if rival.note else {})}
                found.append(Client(rival.name, str(python)))
    return found, told


class Measuring:
    """The runs so far, in order."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.limit, self.rounds = arguments.limit, arguments.rounds
        self.runs: list[dict[str, Any]] = []

    def size(self, everyone: list[Client], files: dict[str, Any], count: int, levels: list[int]) -> None:
        """All clients at all levels, the baseline and kbtools in turns."""
        for level in levels:
            for repeat in range(self.rounds):
                for client in everyone:
                    if self._takes_part(client, count, level, repeat):
                        self._one(client, files, count, level)
            self._show(count, level)

    def _takes_part(self, client: Client, count: int, level: int, repeat: int) -> bool:
        """Others run once, and on larger sizes only at their best level; not at all where they never got through."""
        if client.name in IN_TURNS or repeat:
            return client.name in IN_TURNS
        before = [run for run in self.runs if run["client"] == client.name and run["rows"] < count]
        if not before:
            return True
        rates = {run["in_flight"]: run["rows_per_second"] for run in before if run.get("complete")}
        return bool(rates) and level == max(rates, key=lambda each: float(rates[each]))

    def _one(self, client: Client, files: dict[str, Any], count: int, level: int) -> None:
        run = measure(client, files, count, level, 0.1, self.limit)
        self.runs.append(run)
        if run.get("error"):
            print(f"  {client.name}: {run['error']}\n{run['output'][-600:]}", flush=True)
        elif not run["complete"] or run["wrong"] or not run["server"]["same_messages"]:
            print(f"  {client.name}: kept {run['kept']} of {count}, {run['wrong']} wrong, {run['server']}", flush=True)

    def _show(self, count: int, level: int) -> None:
        rates = self.medians(count, level)
        spent = self.microseconds(count, level)
        for name, rate in rates.items():
            ratio = f"{rate / rates[BASELINE]:6.2f}" if BASELINE in rates else ""
            told = f"{count:7} rows  {level:5} in flight  {name:14} {rate:9.1f} rows/s {ratio}"
            print(f"{told} {spent[name]:5.0f} us a row of the processor", flush=True)
        for name, error in self.unfinished(count, level).items():
            print(f"{count:7} rows  {level:5} in flight  {name:14} {error}", flush=True)

    def _at(self, count: int, level: int) -> list[dict[str, Any]]:
        return [run for run in self.runs if (run["rows"], run["in_flight"]) == (count, level)]

    def unfinished(self, count: int, level: int) -> dict[str, str]:
        """What became of clients that did not get through."""
        failed = [run for run in self._at(count, level) if run.get("error")]
        return {run["client"]: f"{run['error']}; {run['server']['rows']} rows answered" for run in failed}

    def medians(self, count: int, level: int) -> dict[str, float]:
        """Rows per second of each client that ran."""
        rates: dict[str, list[float]] = {}
        for run in self._at(count, level):
            if "rows_per_second" in run:
                rates.setdefault(run["client"], []).append(run["rows_per_second"])
        return {name: statistics.median(found) for name, found in rates.items()}

    def microseconds(self, count: int, level: int) -> dict[str, float]:
        """Processor time for each row of each client that ran."""
        spent: dict[str, list[float]] = {}
        for run in self._at(count, level):
            if "rows_per_second" in run:
                spent.setdefault(run["client"], []).append(run["cpu_seconds"] / count * 1e6)
        return {name: statistics.median(found) for name, found in spent.items()}

    def table(self) -> list[dict[str, Any]]:
        """The medians, and each as a share of the baseline."""
        kinds = dict.fromkeys((run["rows"], run["in_flight"]) for run in self.runs)
        found = []
        for count, level in kinds:
            rates = self.medians(count, level)
            shares = {name: round(rate / rates[BASELINE], 3) for name, rate in rates.items() if BASELINE in rates}
            row = {"rows": count, "in_flight": level, "rows_per_second": rates, "of_aiohttp": shares}
            spent = {name: round(taken) for name, taken in self.microseconds(count, level).items()}
            found.append({**row, "microseconds_a_row": spent, "unfinished": self.unfinished(count, level)})
        return found


def memory(folder: Path, counts: list[int]) -> list[dict[str, Any]]:
    """Peak memory of kbtools' judge on growing datasets, with a server that does not wait."""
    found = []
    for count in counts:
        run = measure(Client(OURS), write_rows(folder, count), count, 256, 0.0, 3600)
        found.append(run)
        shown = f"peak {run['peak_rss_mib']} MiB, of which anonymous {run['peak_anonymous_mib']}"
        print(f"{count:7} rows: {shown}, {run.get('rows_per_second')} rows/s {run.get('error', '')}", flush=True)
    return found


@contextmanager
def cached(given: Path | None) -> Iterator[Path]:
    """The folder of the rivals' environments; a temporary one when none is given."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[2_000, 20_000], help="sizes, smallest first")
    parser.add_argument("--in-flight", type=int, nargs="*", default=[64, 256, 1024])
    parser.add_argument("--rounds", type=int, default=3, help="runs of aiohttp and kbtools; all others run once")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a run is stopped")
    parser.add_argument("--clients", nargs="*", choices=NAMES, default=list(NAMES))
    parser.add_argument("--before", type=Path, help="a checkout of another version, which runs in turn with this one")
    parser.add_argument("--environments", type=Path, help="folder that keeps the rivals' environments")
    parser.add_argument("--memory", type=int, nargs="*", default=[2_000, 20_000, 200_000], help="sizes; none: skip")
    parser.add_argument("--name", default="models_throughput", help="of the file of results")
    return parser.parse_args()


def main() -> None:
    arguments = options()
    measuring = Measuring(arguments)
    with tempfile.TemporaryDirectory() as name, cached(arguments.environments) as cache:
        everyone, rivals = clients(arguments.clients, cache)
        if arguments.before:
            everyone.append(Client(BEFORE, before=arguments.before.resolve()))
        for count in arguments.rows:
            measuring.size(everyone, write_rows(Path(name), count), count, arguments.in_flight)
        sizes = memory(Path(name), arguments.memory)
    result = {"throughput": measuring.table(), "memory": sizes, "rivals": rivals, "runs": measuring.runs}
    print(f"wrote {write(arguments.name, result)}")


if __name__ == "__main__":
    main()
