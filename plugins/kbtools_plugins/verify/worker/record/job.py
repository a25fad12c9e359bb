"""The job that runs a candidate's Python where it shall believe to be, and returns what it does."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import ModuleType

import torch

from kbtools_plugins.verify.host import sandbox
from kbtools_plugins.verify.protocol.recording import Recorded, RecordJob, RecordReply
from kbtools_plugins.verify.protocol.roles import RoleFailure
from kbtools_plugins.verify.protocol.wire import Talk
from kbtools_plugins.verify.worker import cuda_shim, loading
from kbtools_plugins.verify.worker.cards import MACHINES, SECOND
from kbtools_plugins.verify.worker.nowhere import Nowhere
from kbtools_plugins.verify.worker.record import audit, device_names, launches, library_shim
from kbtools_plugins.verify.worker.record.answers import variables
from kbtools_plugins.verify.worker.record.answers.answers import Answers
from kbtools_plugins.verify.worker.record.failures import blamed, describe
from kbtools_plugins.verify.worker.record.forwards import doubted, run_plan, unchanged
from kbtools_plugins.verify.worker.record.front_end import FrontEnd
from kbtools_plugins.verify.worker.record.instance import Instance
from kbtools_plugins.verify.worker.record.lines import Lines
from kbtools_plugins.verify.worker.record.placement import Placement
from kbtools_plugins.verify.worker.record.reads import ReadWatch
from kbtools_plugins.verify.worker.record.recorder import Recorder
from kbtools_plugins.verify.worker.record.storages import show_device
from kbtools_plugins.verify.worker.record.surroundings import Surroundings, remember_modules


def warm_up() -> None:
    """Import what a candidate is likely to import, so that no fork pays for it."""
    import platform

    import numpy  # noqa: F401
    import torch.fx.experimental.symbolic_shapes
    import torch.nn.functional
    import triton.language.extra.libdevice  # noqa: F401

    platform.uname().processor  # noqa: B018 - it starts a program to find out, and remembers
    torch.set_num_threads(1)
    torch.nn.Linear(2, 2)(torch.zeros(1, 2))
    remember_modules()


def run(job: RecordJob, talk: Talk) -> RecordReply | RoleFailure:
    """Traces of every plan of the job, or why there are none; on a forbidden act, reports and ends at once."""
    folder = Path.cwd()
    place = Surroundings(str(folder / "candidate.py"), job.code, elsewhere=job.card == SECOND)
    path = place.path
    recorder = Recorder(path, job.allow, FrontEnd(job.target) if job.target else None, Nowhere() if job.far else None)
    placement = Placement()
    tuning = launches.install(recorder, placement)
    card = MACHINES[job.card]
    lines = Lines(path)
    answers = Answers(place.module, path)
    recorder.perform, recorder.looked = answers.perform, answers.looked

    def load() -> ModuleType:
        if job.doubts is None:
            return loading.load(job.code, place.module, path, place.own_builtins())
        heard = place.own_builtins() | answers.hooks()
        return loading.load(job.code, place.module, path, heard, answers.compiled(job.code))

    def report(kind: str, what: str) -> None:
        if answers.trying:
            raise PermissionError(what)
        talk.send(RoleFailure(failed=kind, error=what, ran=lines.ran).tree())
        os._exit(0)

    library_shim.install()
    readable = sandbox.readable_paths()
    try:
        with cuda_shim.installed(card), torch.no_grad(), placement, ReadWatch(recorder), recorder:
            place.install()
            if job.doubts is not None:
                variables.hear(path, answers)
            show_device(path, placement)
            device_names.install(placement)
            before = audit.watched_values()
            lines.watch(job.watch)
            audit.watch(path, [*readable, folder], report)
            fresh = partial(Instance, job, placement, load)
            candidate = fresh()
            plans = {plan.name: run_plan(plan, candidate, recorder, tuning, fresh) for plan in job.plans}
            lines.stop()
            if objection := _objection(lines, audit.changed_names(before), folder):
                return objection
            reply = _reply(plans, candidate, recorder, lines)
            if job.doubts is None:
                return reply
            answers.compared.look(unchanged(job.doubts, candidate, recorder))
            other = doubted(job.doubts, answers, recorder, fresh, plans[job.doubts.name].traces)
            return reply.model_copy(update={"doubted": other.traces, "refused": other.refused})
    except BaseException as error:  # noqa: BLE001 - whatever a candidate raises, SystemExit included, is its own fault
        return blamed(describe(error, path, job.code), recorder).model_copy(update={"ran": lines.ran})


def _reply(plans: dict[str, Recorded], candidate: Instance, recorder: Recorder, lines: Lines) -> RecordReply:
    return RecordReply(
        plans=plans,
        lacking=candidate.lacking,
        bindings=list(recorder.bindings.found),
        ran=lines.ran,
        asked_for_card=cuda_shim.Default.asked,
    )


def _objection(lines: Lines, changed: list[str], folder: Path) -> RoleFailure | None:
    """What a candidate has done beside its work."""
    if lines.no_cuda:
        return RoleFailure(failed="unsupported:cuda_api", error=f"it catches {lines.no_cuda}", ran=lines.ran)
    if changed:
        return RoleFailure(failed="hack:patched_name", error=f"it replaced {', '.join(changed)}")
    if left := sorted(file.name for file in folder.iterdir() if file.is_file() and file.name != "candidate.py"):
        return RoleFailure(failed="forbidden:file_write", error=f"it left the file {left[0]}")
    if cuda_shim.Stream.made > cuda_shim.Stream.joined:
        return RoleFailure(failed="hack:side_stream", error="it made a stream that is never waited for")
    return None
