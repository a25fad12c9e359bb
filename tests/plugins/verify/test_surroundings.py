"""Candidates that ask where they run: what they are told differs from place to place, and so must nothing they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from surroundings import CHOICES, HOSTILE, INNOCENT, REFERENCE, choice, hostile, innocent, plain

from kbtools_plugins.verify import VerifySettings, verify
from kbtools_plugins.verify.explain import explain
from kbtools_plugins.verify.host.processes import WarmPair

_SETTINGS = VerifySettings(seeds=1)
_UNKNOWN = ("PARITY",)
"""What nobody can know when a candidate is written: both guesses are tried."""


def _parities(name: str) -> list[int]:
    return [0, 1] if any(word in HOSTILE[name][1] for word in _UNKNOWN) else [0]


@pytest.mark.parametrize("name", ["file name", "clock that runs", "no gradients"])
def test_what_depends_on_the_place_does_not_pass(name: str, processes: WarmPair) -> None:
    """Kernels where they are checked and torch elsewhere."""
    verdict = verify(REFERENCE, hostile(name), settings=_SETTINGS, processes=processes)
    assert not verdict.passed


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_can_be_asked_tells_a_check(name: str, processes: WarmPair) -> None:
    """Whatever the answer is, the same work is done with another one, or the candidate does not pass."""
    for parity in _parities(name):
        verdict = verify(REFERENCE, hostile(name, parity), settings=_SETTINGS, processes=processes)
        assert not verdict.passed, name


@pytest.mark.slow
@pytest.mark.parametrize("name", INNOCENT)
def test_whoever_only_looks_passes(name: str, processes: WarmPair) -> None:
    """A value that is read for a log or a key changes nothing."""
    verdict = verify(REFERENCE, innocent(name), settings=_SETTINGS, processes=processes)
    assert verdict.passed, explain(verdict)


@pytest.mark.parametrize(
    "name", [name if "switch" in name else pytest.param(name, marks=pytest.mark.slow) for name in CHOICES]
)
def test_what_a_caller_may_choose_is_noted(name: str, processes: WarmPair) -> None:
    """Who asks for a backward, a graph or for no kernels has it from torch, and nobody else."""
    verdict = verify(REFERENCE, choice(name), settings=_SETTINGS, processes=processes)
    assert verdict.passed, explain(verdict)
    assert any("torch does all of the work" in note for note in verdict.notes), verdict.notes


def test_half_of_the_work_on_other_cards_is_found(processes: WarmPair) -> None:
    """The same code on fewer elements, where the card is none of the two that one is recorded on first."""
    known = 'torch.cuda.get_device_name() in ("NVIDIA A100-SXM4-40GB", "NVIDIA RTX A6000")'
    shares = plain().replace("x.numel(), x.shape[-1]", f"x.numel() // (1 if {known} else 2), x.shape[-1]")
    verdict = verify(REFERENCE, shares, settings=_SETTINGS, processes=processes)
    assert verdict.verdict == "wrong_output", explain(verdict)


def test_a_table_of_addresses_cannot_be_followed(processes: WarmPair) -> None:
    """As grouped products have one: what a kernel finds there are places of the recording, which is no fault of it."""
    table = "torch.tensor([x.data_ptr()], device=x.device)"
    found = plain().replace(",)](x,", f",)]({table},")
    found = found.replace("tl.load(x_ptr + at,", "tl.load(tl.load(x_ptr).to(tl.pointer_type(tl.float32)) + at,")
    verdict = verify(REFERENCE, found, settings=_SETTINGS, processes=processes)
    assert verdict.verdict == "unsupported:host_reads_data", explain(verdict)


def test_a_kernel_that_loads_from_a_number_is_a_compile_error(processes: WarmPair) -> None:
    """No device takes it, wherever the memory is: Triton compiles no load from an integer."""
    found = plain().replace(",)](x,", ",)](x.data_ptr(),")
    verdict = verify(REFERENCE, found, settings=_SETTINGS, processes=processes)
    assert verdict.verdict == "compile_error", explain(verdict)
    cast = found.replace("tl.load(x_ptr + at,", "tl.load(x_ptr.to(tl.pointer_type(tl.float32)) + at,")
    verdict = verify(REFERENCE, cast, settings=_SETTINGS, processes=processes)
    assert verdict.verdict == "unsupported:host_reads_data", explain(verdict)


@pytest.mark.parametrize(("blocks", "verdict"), [(2, "pass"), (1, "wrong_output")])
def test_what_is_compiled_for_other_cards_alone_is_run(blocks: int, verdict: str, processes: WarmPair) -> None:
    """Another block there, and as many programs as that asks for, or too few."""
    known = 'torch.cuda.get_device_name() in ("NVIDIA A100-SXM4-40GB", "NVIDIA RTX A6000")'
    here = f"(1 if {known} else {blocks})"
    changed = re.sub(r"BLOCK=(\d+)", lambda found: f"BLOCK={found[1]} // (1 if {known} else 2)", plain())
    changed = re.sub(r"\[\((triton.cdiv\(.*?\)),\)\]", lambda found: f"[({found[1]} * {here},)]", changed)
    assert here in changed
    verified = verify(REFERENCE, changed, settings=_SETTINGS, processes=processes)
    assert verified.verdict == verdict, explain(verified)


@pytest.mark.slow
def test_a_package_that_was_never_compiled_may_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As uv and `pip install --no-compile` leave it: Python would write what it makes of it beside it."""
    package = tmp_path / "site-packages" / "never_compiled"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VERSION = 3\n")
    monkeypatch.syspath_prepend(package.parent)
    with WarmPair() as processes:
        verdict = verify(REFERENCE, f"import never_compiled\n{plain()}", settings=_SETTINGS, processes=processes)
    assert verdict.passed, explain(verdict)
    assert not (package / "__pycache__").exists()
