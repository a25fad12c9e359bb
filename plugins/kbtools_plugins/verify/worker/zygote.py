"""A warm process that has torch and triton imported and forks one child per job; run as `python -m`, never imported.

The caller owns it through a control socket: "fork" (with the job's channel attached) answers a pid, "end" kills the
job's process group and whatever it left behind, and answers the exit status. It dies with its caller: the socket
closes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from pathlib import Path
from types import ModuleType

from kbtools_plugins.verify.host import sandbox
from kbtools_plugins.verify.protocol import wire
from kbtools_plugins.verify.protocol.compiling import CACHES, COMPILE
from kbtools_plugins.verify.protocol.computation import FOLLOW, LEAD, OPERATORS, PROBE
from kbtools_plugins.verify.protocol.message import ProcessMessage
from kbtools_plugins.verify.protocol.reading import KERNELS, READ, RELATIONS, SHRINK
from kbtools_plugins.verify.protocol.recording import RECORD
from kbtools_plugins.verify.protocol.reference import REFERENCE
from kbtools_plugins.verify.protocol.roles import SEVERAL_JOBS, Assignment, RoleFailure
from kbtools_plugins.verify.tiers import MACHINES
from kbtools_plugins.verify.worker import huge_pages

_RUN_NO_FOREIGN_CODE = SEVERAL_JOBS | {"gpu"}
"""Roles that see texts only; the process that has read them compiles them next, and needs to start ptxas and to keep
what it made. One that times shuts itself in before it runs a reference."""
_JOBS = {
    "read": "worker.read",
    "kernels": "worker.read",
    "relations": "worker.read",
    "shrink": "worker.sizes",
    "reference": "worker.reference.job",
    "record": "worker.record.job",
    "compile": "worker.compile",
    "operators": "worker.operators",
    "probe": "worker.computation.probe",
    "lead": "worker.computation.lead",
    "follow": "worker.computation.follow",
} | {machine.role.name: machine.job for machine in MACHINES}
"""Where the job of each role is, below the package of verify."""
_MESSAGES: dict[str, type[ProcessMessage]] = {
    role.name: role.job
    for role in (READ, KERNELS, RELATIONS, SHRINK, REFERENCE, RECORD, COMPILE, OPERATORS, PROBE, LEAD, FOLLOW)
} | {machine.role.name: machine.role.job for machine in MACHINES}
_FORKS_WITHOUT = 16
"""Forks before memory is put into huge pages, which takes half a second and makes each further one 15 ms cheaper."""


def serve(control: socket.socket, role_modules: list[str]) -> None:
    """Import all that the roles need, and answer commands."""
    for name in role_modules:
        _job_module(name).warm_up()  # with collections: without, each fork copies a fifth more pages
    if "torch" in sys.modules:
        from kbtools_plugins.verify.worker import compiler

        compiler.leave_out()
    if "record" in role_modules:
        from kbtools_plugins.verify.worker.record import audit

        audit.remember()  # all the others have been imported: what they changed is known
    sandbox.prepare()
    gc.collect()
    gc.freeze()  # a collection in a fork would write to all that is shared
    _answer(control)


def _answer(control: socket.socket) -> None:
    """Answer commands until the caller is gone."""
    sandbox.become_subreaper()
    control.sendall(b"ready\n")
    forked: set[int] = set()
    forks = 0
    while command := _next_command(control):
        request, channel = command
        if "leave" in request:
            return
        if "end" in request:
            forked.discard(pid := int(request["end"]))
            status, spent = _end(pid, forked)
            _reply(control, {"status": status, "milliseconds": round(1000 * spent)})
            continue
        if "places" in request:
            huge_pages.copy_libraries()  # once, for all workers
        pid = os.fork()
        if not pid:
            control.close()
            _become(request, channel)
            return
        channel.close()
        forked.add(pid)
        forks += 1
        _reply(control, {"pid": pid})
        if forks == _FORKS_WITHOUT:
            huge_pages.collapse()
            huge_pages.copy_libraries()
    shutil.rmtree(os.environ["HOME"], ignore_errors=True)  # the caller was killed: it took no leave and cannot clean up


def _become(request: dict[str, wire.Tree], channel: socket.socket) -> None:
    if "places" in request:
        _move(request["places"], channel)
    else:
        _begin(request["folder"], channel)


def _reply(control: socket.socket, reply: dict[str, int]) -> None:
    control.sendall(json.dumps(reply).encode() + b"\n")


def _move(places: dict[str, str], control: socket.socket) -> None:
    """As a copy of the warm process work for another caller, in a folder of its own."""
    os.environ.update(places)
    tempfile.tempdir = places["TMPDIR"]
    os.chdir(places["HOME"])
    _answer(control)


def _begin(folder: str, channel: socket.socket) -> None:
    """As a fork for a job, do it and end."""
    status = 70
    try:
        os.setsid()
        sandbox.die_with_parent()
        _silence()
        status = _run_jobs(Path(folder), wire.Talk(channel, channel.recv(32, socket.MSG_WAITALL)))
    finally:
        os._exit(status)


def _job_module(role: str) -> ModuleType:
    return importlib.import_module(f"kbtools_plugins.verify.{_JOBS[role]}")


def _next_command(control: socket.socket) -> tuple[dict[str, wire.Tree], socket.socket] | None:
    data, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
    if not data:
        return None
    channel = socket.socket(fileno=descriptors[0]) if descriptors else control
    return json.loads(data), channel


def _silence() -> None:
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)


def _run_jobs(folder: Path, talk: wire.Talk) -> int:
    """One job, or one after the other where they run no foreign code, until the caller ends this process."""
    os.environ["TMPDIR"] = os.environ["HOME"] = tempfile.tempdir = str(folder)
    assignment = Assignment.read(talk.receive())
    job = _MESSAGES[assignment.role].read(assignment.job)
    shares = assignment.role in _RUN_NO_FOREIGN_CODE and not getattr(job, "timing", None)
    caches = [Path(os.environ[name]) for name in CACHES if shares]
    sandbox.enter(folder, _limits(assignment), sandbox.readable_paths(), caches)
    _run_job(assignment.role, job, talk)
    while assignment.role in SEVERAL_JOBS:
        assignment = Assignment.read(talk.receive())
        job = _MESSAGES[assignment.role].read(assignment.job)
        sandbox.give_time(math.ceil(assignment.timeout))
        _run_job(assignment.role, job, talk)
    return 0


def _limits(assignment: Assignment) -> sandbox.JobLimits:
    return sandbox.JobLimits(
        cpu_seconds=math.ceil(assignment.timeout),
        memory_bytes=int(assignment.memory_gb * 2**30),
        address_bytes=int(assignment.addresses_gb * 2**30),
        more_jobs=assignment.role in SEVERAL_JOBS,
        may_execute=assignment.role in _RUN_NO_FOREIGN_CODE,
        drives_device=assignment.role == "gpu",
    )


def _run_job(role: str, job: ProcessMessage, talk: wire.Talk) -> None:
    try:
        reply: ProcessMessage = _job_module(role).run(job, talk)
    except MemoryError:
        reply = RoleFailure(failed="out_of_memory", error="MemoryError")
    except Exception:  # noqa: BLE001 - a job's fault is its result
        reply = RoleFailure(failed="internal", error=traceback.format_exc())
    try:
        talk.send(reply.tree())
    except (ValueError, TypeError, RecursionError) as error:  # a number of 5,000 digits, say: nothing has been sent yet
        talk.send(RoleFailure(failed="internal", error=f"a result that cannot be sent: {error}").tree())


def _end(pid: int, others: set[int]) -> tuple[int, float]:
    """Kill the job's group and every descendant but those others that were forked for jobs, and theirs; the job's wait
    status and the processor time it has used."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    while left_behind := [child for child in _children() if child not in others]:
        for child in left_behind:
            os.kill(child, signal.SIGKILL)
        for child in left_behind:
            os.waitpid(child, 0)
    return status, usage.ru_utime + usage.ru_stime


def _children() -> list[int]:
    try:
        return [int(child) for child in Path("/proc/self/task", str(os.getpid()), "children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
