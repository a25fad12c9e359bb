"""Launches that are known to be right, on the machine: how many, with which instructions, and whether all are right.

`python -m tests.plugins.ptx.coverage` runs the corpus and the innocent modules of verify's suite.
"""

from __future__ import annotations

import collections
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch

from kbtools_plugins.ptx.launch import LaunchReport
from tests.plugins.ptx.corpus import CASES
from tests.plugins.ptx.harness import error, run
from tests.plugins.ptx.in_process import built, entry, on_the_machine, outputs

ROOT = Path(__file__).parents[3]
SUITE = ROOT / "tests" / "plugins" / "verify"
TOLERANCE = 3e-3
"""Of modules: fp32 products are tf32 unless they ask for more."""

LEFT_OUT = ("shim_", "mock_config", "persistent_programs", "host_descriptors", "inductor_style", "twin_compiled_launch")
"""Modules that ask for the driver or its launcher in Python: verify has a shim for them, and for `torch.cuda`."""

Found = tuple[str, list[LaunchReport], str]
"""Name, launches, and what is wrong (nothing if all is right)."""


def corpus() -> Iterator[Found]:
    """Our own kernels."""
    for case in CASES:
        try:
            report, errors = run(case)
        except Exception as fault:  # noqa: BLE001 - a row of the table
            yield case.name, [], f"{type(fault).__name__}: {fault}"
            continue
        off = {name: found for name, found in errors.items() if found > case.tolerance}
        yield case.name, [report], str(off or "")


def suite() -> Iterator[Found]:
    """The innocent modules of verify, each beside its reference."""
    for path in sorted((SUITE / "innocent").rglob("*.py")):
        text = path.read_text()
        if path.stem.startswith(LEFT_OUT) or "torch.cuda." in text:
            continue
        head = dict(re.findall(r"^# (reference|verdict): (.*)$", text, re.MULTILINE))
        blocks = re.findall(r"```(?:python)?\n(.*?)```", text, re.DOTALL)
        code = blocks[-1] if blocks else text
        yield module(path.stem, (SUITE / "references" / f"{head['reference']}.py").read_text(), code)


def module(name: str, reference: str, code: str) -> Found:
    """One candidate on the reference's inputs."""
    reports: list[LaunchReport] = []
    try:
        truth, candidate = loaded(f"reference_{name}", reference), loaded(f"candidate_{name}", code)
        torch.manual_seed(1)
        inputs, arguments = truth.get_inputs(), truth.get_init_inputs()
        copies = [value.clone() if isinstance(value, torch.Tensor) else value for value in inputs]
        right = built(entry(truth), arguments)
        state = {name: value.clone() for name, value in right.state_dict().items()}
        training = "eval" not in name
        expected = outputs(right, copies, training)
        with on_the_machine(reports.append):
            tried = built(entry(candidate), arguments)
            tried.load_state_dict(state, strict=False)
            got = outputs(tried, inputs, training)
        worst = max(error(a, b) for a, b in zip(got, expected, strict=True))
    except Exception as fault:  # noqa: BLE001 - a row of the table
        return name, reports, f"{type(fault).__name__}: {fault}"[:200]
    return name, reports, "" if worst <= TOLERANCE else f"off by {worst:.1e}"


def loaded(name: str, code: str) -> ModuleType:
    """A module from its text, in a file because Triton reads it again."""
    import tempfile

    path = Path(tempfile.mkdtemp()) / f"{name}.py"
    path.write_text(code)
    made = ModuleType(name)
    made.__file__ = str(path)
    sys.modules[name] = made
    exec(compile(code, str(path), "exec"), made.__dict__)
    return made


def main() -> None:
    warnings.simplefilter("ignore")
    opcodes: collections.Counter[str] = collections.Counter()
    total, wrong = 0, 0
    for title, found in (("corpus", corpus()), ("suite", suite())):
        count, failed = 0, []
        for name, reports, fault in found:
            count += len(reports)
            for report in reports:
                opcodes.update(set(report.opcodes))
            if fault:
                failed.append(f"  {name}: {fault}")
        total, wrong = total + count, wrong + len(failed)
        print(f"{title}: {count} launches, {len(failed)} modules or kernels not right")
        print("\n".join(failed))
    families = collections.Counter(opcode.partition(".")[0] for opcode in opcodes)
    print(f"{total} launches, {len(opcodes)} instructions in {len(families)} families")
    print(", ".join(f"{name} {count}" for name, count in sorted(families.items())))
    print("all right" if not wrong else f"{wrong} not right")


if __name__ == "__main__":
    main()
