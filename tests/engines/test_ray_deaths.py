"""Deaths at random moments on a Ray cluster: of workers, of a node and of the driver."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import time
from importlib.util import find_spec

import datasets
import pytest

import kbtools as kb
from tests.engines.conftest import Program
from tests.engines.ray_nodes import Cluster, end
from tests.engines.waiting import SECONDS, wait_for

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="ray is missing")


@pytest.mark.long
def test_ten_deaths_at_any_moment_change_nothing(cluster: Cluster, program: Program) -> None:
    """Of workers, nodes and drivers, as a lottery says: each costs what was under way, nothing that was finished."""
    rows, deaths, lottery = 40, 10, random.Random(13)
    kb.save(datasets.Dataset.from_dict({"n": range(rows), "id": [f"r{n}" for n in range(rows)]}), program.source)
    words = ("slow", "--log", program.log, "--seconds", 1, "--shards", rows)
    code, said = program(*words, "--engine", "processes=2", "--out", "here.parquet")
    assert code == 0, said
    program.log.unlink()
    words = (*words, "--engine", f"ray={cluster.address}", "--scratch", program.folder / "scratch")
    second, reused, done = cluster.join(), [0], 0
    while True:
        running = program.start(*words, "--out", "there.parquet")
        while done < deaths and running.poll() is None:
            begun = len(program.starts())
            wait_for(lambda count=begun, run=running: len(program.starts()) > count or run.poll() is not None)
            time.sleep(lottery.uniform(0, 2))
            victim = lottery.choice(("worker", "worker", "node", "driver"))
            if victim == "node":
                end(second)
                second = cluster.join()
            else:
                last = int(program.log.read_text().splitlines()[-1].split()[0])
                with contextlib.suppress(ProcessLookupError):
                    os.kill(last if victim == "worker" else running.pid, signal.SIGKILL)
            done += 1
        out, err = running.communicate(timeout=SECONDS)
        thrice = "3 workers died over this part of the rows" in err  # the lottery met one shard so often
        assert running.returncode in (0, -signal.SIGKILL) or thrice, out + err
        reused += [int(count) for count in re.findall(rf"(\d+) of {rows} shards reused", err)]
        if running.returncode == 0:
            break
    assert done == deaths
    assert reused == sorted(reused)
    assert reused[-1] > 0
    assert set(program.starts()) == set(range(rows))
    assert len(program.starts()) <= rows + 2 * deaths
    assert (program.folder / "there.parquet").read_bytes() == (program.folder / "here.parquet").read_bytes()
