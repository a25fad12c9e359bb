"""Workers on a Ray cluster: one actor for each processor, and one for each GPU where work asks for GPUs.

Ray's own scheduling does no more than place them; who does what is decided in `crew`, as for local processes, and only
short texts travel: rows go through the scratch folder.
"""

from __future__ import annotations

import os
import platform
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kbtools.engines.crew import Worker, WorkerAnswer
from kbtools.engines.job import Job, JobAnswer, Kind, perform
from kbtools.engines.nodes import Node, check_versions, last_line, nodes, on_node
from kbtools.errors import ConfigError, MissingExtra

_ATTEMPTS = 3


class Actor:
    """What runs on a processor of the cluster."""

    def __init__(self, number: int, driver: str) -> None:
        from kbtools.engines import worker

        worker.call_yourself(number)
        if platform.node() != driver:
            worker.keep_to_this_node()

    def pid(self) -> int:
        """Its process."""
        return os.getpid()

    def perform(self, job: str) -> str:
        """Do a job; both are texts, so that nothing depends on how Ray packs objects."""
        return perform(Job.model_validate_json(job)).model_dump_json()


class RemoteActor:
    """The driver's end of an actor."""

    def __init__(self, node: Node, number: int, kind: Kind) -> None:
        import ray

        self.node, self.number, self.kind = node, number, kind
        self.where = f"node {node.address}, {'GPU' if kind == 'gpu' else 'processor'} {number}"
        needs = {"num_cpus": 0, "num_gpus": 1} if kind == "gpu" else {"num_cpus": 1}
        self._actor = (
            ray.remote(Actor).options(**needs, scheduling_strategy=on_node(node)).remote(number, platform.node())
        )
        self._said = self._actor.pid.remote()
        self.under_way: object = None

    def ready(self) -> bool:
        """Whether it has started; whoever waits for a processor that others use has not."""
        import ray

        if self._said is not None and ray.wait([self._said], timeout=0)[0]:
            try:
                self.where += f", process {ray.get(self._said)}"
            except ray.exceptions.RayError as error:
                if not self.node_is_up():  # it died with its node before it began: others do the work
                    return False
                raise ConfigError(f"{self.where}: a worker could not be started ({last_line(error)}).") from error
            self._said = None
        return self._said is None

    def node_is_up(self) -> bool:
        """Whether its node is still in the cluster."""
        return self.node.identity in {node.identity for node in nodes()}

    def send(self, job: Job) -> None:
        """Start a job."""
        self.under_way = self._actor.perform.remote(job.model_dump_json())

    def answer(self) -> JobAnswer | None:
        """The answer that has come, or None where the process or its node has died."""
        import ray

        try:
            return JobAnswer.model_validate_json(ray.get(self.under_way))
        except ray.exceptions.RayError:
            return None

    def close(self) -> None:
        """Kill the actor."""
        import ray

        with suppress(ray.exceptions.RayError, ValueError):  # it, or all of Ray, may be gone already
            ray.kill(self._actor)


class ClusterStaff:
    """The nodes of a Ray cluster, every one of which has the driver's versions."""

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        with _signals_kept():
            self._started = connect(address, say)
        try:
            self._nodes = check_versions(nodes(), say)
        except BaseException:
            self.close()
            raise

    def hire(self, kind: Kind) -> list[Worker]:
        """An actor for each processor, or for each GPU."""
        return [
            RemoteActor(node, number, kind)
            for node in self._nodes
            for number in range(node.gpus if kind == "gpu" else node.cpus)
        ]

    def replace(self, worker: Worker) -> Worker | None:
        """Another actor on the same node, if that is still there."""
        assert isinstance(worker, RemoteActor)
        return RemoteActor(worker.node, worker.number, worker.kind) if worker.node_is_up() else None

    def heard(self, working: Iterable[Worker]) -> list[WorkerAnswer]:
        """The answers that have come."""
        import ray

        by_reference = {worker.under_way: worker for worker in working if isinstance(worker, RemoteActor)}
        done, _ = ray.wait(list(by_reference), num_returns=len(by_reference), timeout=0.05)
        if not done:
            done, _ = ray.wait(list(by_reference), timeout=1.0)
        return [WorkerAnswer(by_reference[reference], by_reference[reference].answer()) for reference in done]

    def has_gpus(self) -> bool:
        """Whether a node has one."""
        return any(node.gpus for node in self._nodes)

    def close(self) -> None:
        """Leave the cluster; one that was started for this run ends."""
        import ray

        if self._started:
            ray.shutdown()


def connect(address: str, say: Callable[[str], None]) -> bool:
    """Join the cluster, or start one on this machine; whether that was done here, and not by the caller's program."""
    ray = _ray()
    if ray.is_initialized():
        return False
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    if address != "auto":
        _refuse_silence(address)
        _patiently(lambda: ray.init(address=address, **_SETTINGS))
    elif not _joined_here():
        _patiently(lambda: ray.init(address="local", include_dashboard=False, **_SETTINGS))
        cpus = int(ray.cluster_resources().get("CPU", 0))
        say(f"found no Ray cluster, so one was started on this machine for this run, with {cpus} CPUs")
        return True
    say(f"joined the Ray cluster at {ray.get_runtime_context().gcs_address}")
    return True


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself, which would end a run without a word of what is finished."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


_SETTINGS: dict[str, object] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", "running on a Ray cluster") from error
    return ray


def _joined_here() -> bool:
    """Whether there is a cluster on this machine; ConfigError where there is one that does not let us in."""
    try:
        _ray().init(address="auto", **_SETTINGS)
    except ConnectionError as error:
        if "Could not find any running Ray instance" not in str(error):
            raise _unreachable(error) from error
        return False
    return True


def _refuse_silence(address: str) -> None:
    """ConfigError where nobody listens at the address: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"nobody answers at {address} ({error}), where the head node of the Ray cluster should be: "
            "`ray status` says its address there."
        ) from error


def _patiently(start: Callable[[], object]) -> None:
    """Start Ray, again where a busy machine did not let it start in the half minute that it gives itself."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            start()
            return
        except Exception as error:  # Ray raises whatever it meets with
            _ray().shutdown()
            if attempt == _ATTEMPTS or isinstance(error, ConnectionError | ValueError):
                raise _unreachable(error) from error


def _unreachable(error: Exception) -> ConfigError:
    return ConfigError(
        f"Ray could not be reached ({type(error).__name__}: {last_line(error)}). If the cluster asks for a token, set "
        "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here as there. Another reason is a machine so busy that processes need "
        "more than 30 s to start."
    )
