"""Times `kbtools.data.conversations.reasoning.strip` on ordinary rows and on texts of 1 MB made to be slow.

Run `python benchmarks/reasoning.py`; a table is printed, and the figures are written to results/.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kbtools.data.conversations.reasoning import ReasoningError, strip

sys.path.insert(0, str(Path(__file__).parent))
from machine import write

MEGABYTE = 1_000_000
CODE = "    offs = tl.arange(0, BLOCK)\n    x = tl.load(ptr + offs, mask=offs < n)\n"


def _fill(piece: str, end: str = "") -> str:
    return piece * ((MEGABYTE - len(end)) // len(piece)) + end


ORDINARY: dict[str, str] = {
    "plain code, 1 kB": CODE * 13,
    "tagged answer after <think>, 1.5 kB": f"<think>{'reason ' * 80}</think>\n<answer>\n{CODE * 13}</answer>",
    "fenced answer, tag pre-filled, 1 kB": f"</think><answer>\n```python\n{CODE * 13}```\n</answer>",
    "BEGIN_PYTHON lines, 1 kB": f"BEGIN_PYTHON\n{CODE * 13}END_PYTHON\n",
}
ADVERSARIAL: dict[str, str] = {
    "plain code": _fill(CODE),
    "one answer": "<think>r</think><answer>" + _fill(CODE, "</answer>"),
    "<think>, never closed": _fill("<think>"),
    "<think> nested, closed": "<think>" * 70_000 + "</think>" * 62_000 + "<answer>A</answer>",
    "</think>, never opened": _fill("</think>", "<answer>A</answer>"),
    "empty think blocks": _fill("<think></think>", "<answer>A</answer>"),
    "<answer>, never closed": _fill("<answer>"),
    "<answer> nested, one closed": _fill("<answer>", "</answer>"),
    "<answer> nested, all closed": "<answer>" * 55_000 + "</answer>" * 62_000,
    "same answers": _fill("<answer>A</answer>"),
    "same answers quoting <answer>": _fill('\n<answer>"<answer>"</answer>'),
    "</answer>, never opened": _fill("</answer>"),
    "mentions, then </think>": "r " + _fill("<answer></think>", "<answer>A</answer>"),
    "fences in an answer": "<answer>" + _fill("```\n", "</answer>"),
    "fences of no end in an answer": "<answer>" + _fill("```a\n", "</answer>"),
    "fences of all lengths": "<answer>" + "".join("`" * n + "a\n" for n in range(1400, 3, -1)) + "</answer>",
    "fences and answers": _fill("<answer>```\n</answer>```\n"),
    "fences on one line": _fill("<answer>```"),
    "BEGIN_PYTHON, never closed": _fill("BEGIN_PYTHON\n"),
    "BEGIN_PYTHON in one line": _fill("BEGIN_PYTHON "),
    "marker lines behind blanks": _fill(" " * 999 + "END_PYTHON\n"),
    "blanks": "<think></think>" + _fill(" ", "<answer>A</answer>"),
    "channel headers": _fill("<|channel|>analysis<|message|>r<|end|>"),
    "channel tokens": _fill("<|start|>"),
    "channel tokens without message": _fill("<|channel|>"),
}


def _seconds(run: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        begun = time.process_time()
        run()
        times.append(time.process_time() - begun)
    return min(times)


def _outcome(text: str) -> str:
    try:
        strip(text)
    except ReasoningError as error:
        return error.kind
    return "answer"


def measure() -> list[dict[str, str | float]]:
    """One record per text: its name, size in characters, outcome and best time in microseconds."""
    records: list[dict[str, str | float]] = []
    for texts, repeat in ((ORDINARY, 2000), (ADVERSARIAL, 3)):
        for name, text in texts.items():
            best = _seconds(lambda text=text: _outcome(text), repeat)  # type: ignore[misc]
            microseconds = round(best * 1e6, 1)
            records.append({"text": name, "size": len(text), "outcome": _outcome(text), "us": microseconds})
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    records = measure()
    print(f"{'text':36} {'size':>9} {'ms':>9}  outcome")
    for record in records:
        milliseconds = float(record["us"]) / 1000
        print(f"{record['text']:36} {record['size']:9} {milliseconds:9.3f}  {record['outcome']}")
    print(f"wrote {write('reasoning', {'texts': records})}")


if __name__ == "__main__":
    main()
