"""Scenes on a real Dask cluster: the same bytes, workers that die, words when nothing answers."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'cluster'")

from droneteam.errors import InputError, SetupError
from droneteam.photogrammetry import cluster as module
from droneteam.photogrammetry.cluster import ClusterExecutor, connected, executor, fingerprint
from droneteam.photogrammetry.executor import Executor, LocalExecutor
from tests.photogrammetry.dask_cluster import LocalCluster, local_cluster, wait_for
from tests.photogrammetry.test_executor import BASE, fails_at_three, scaled

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with local_cluster(tmp_path_factory.mktemp("dask"), workers=2) as found:
        yield found


@pytest.fixture
def connection(cluster: LocalCluster) -> Iterator[Executor]:
    with connected(cluster.address) as found:
        yield found


def pid_of(_: None, item: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def marks_and_waits(folder: Path, item: int) -> tuple[int, float]:
    """Says that it has begun and by which process, then takes its time."""
    (folder / f"{item}.{os.getpid()}").touch()
    time.sleep(0.3)
    return item, float(np.sqrt(item))


def full_disk(_: None, item: int) -> int:
    raise OSError(28, "No space left on device")


def test_results_are_those_of_this_machine_in_order(connection: Executor) -> None:
    items = range(30)
    assert list(connection.map(scaled, BASE, items)) == list(
        LocalExecutor(1).map(scaled, BASE, items)
    )


def test_both_workers_work(connection: Executor, cluster: LocalCluster) -> None:
    wait_for(lambda: len(connection.client.nthreads()) == 2, "two workers")  # type: ignore[attr-defined]
    processes = set(connection.map(pid_of, None, range(20)))
    assert processes == {process.pid for process in cluster.workers.values()}


def test_a_units_own_error_arrives_as_it_was_raised(connection: Executor) -> None:
    with pytest.raises(InputError, match="third is bad"):
        list(connection.map(fails_at_three, None, range(6)))
    with pytest.raises(OSError, match="No space left"):
        list(connection.map(full_disk, None, range(3)))


def test_a_path_that_workers_do_not_see_is_named(
    connection: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connection.require_sight([tmp_path])
    with pytest.raises(SetupError, match=r"does not see /nowhere/photos.*same place"):
        connection.require_sight([tmp_path, Path("/nowhere/photos")])


def test_workers_with_other_versions_are_refused(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This side pretends to have another numpy; the workers run the real fingerprint."""
    real = fingerprint()

    class Pretender:
        def run(self, function: object) -> dict[str, dict[str, str]]:
            return {"tcp://10.0.0.7:1": {**real, "numpy": "0.1", "droneteam": "other"}}

    with pytest.raises(SetupError, match=r"10\.0\.0\.7:1 runs another droneteam, numpy than this"):
        module._require_same_software(Pretender())


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(tmp_path: Path) -> None:
    """The worker that does the fifth unit is killed while it does it."""
    marks = tmp_path / "marks"
    marks.mkdir()
    with local_cluster(tmp_path, workers=2) as cluster, connected(cluster.address) as connection:
        assert isinstance(connection, ClusterExecutor)
        wait_for(lambda: len(connection.client.nthreads()) == 2, "two workers")
        results = connection.map(marks_and_waits, marks, range(12))
        found = [next(results) for _ in range(3)]
        running = max(marks.glob("*"), key=lambda path: path.stat().st_mtime)
        pid = int(running.suffix[1:])
        victim = next(p for p in cluster.workers.values() if p.pid == pid)
        victim.kill()
        victim.wait()
        found += list(results)
    assert found == [(item, float(np.sqrt(item))) for item in range(12)]


def test_losing_every_worker_waits_for_a_new_one(tmp_path: Path) -> None:
    """What the units share went with the workers; it is sent again to the one that comes."""
    marks = tmp_path / "marks"
    marks.mkdir()
    with local_cluster(tmp_path, workers=1) as cluster, connected(cluster.address) as connection:
        results = connection.map(marks_and_waits, marks, range(6))
        found = [next(results)]
        cluster.workers["worker-0"].kill()
        cluster.workers["worker-0"].wait()
        cluster.start_worker("worker-1")
        found += list(results)
    assert found == [(item, float(np.sqrt(item))) for item in range(6)]


def test_no_scheduler_is_said_with_the_variables_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with (
        pytest.raises(SetupError, match=rf"DRONETEAM_DASK='tcp://127.0.0.1:{port}'.*unset"),
        executor(f"tcp://127.0.0.1:{port}", 2),
    ):
        pass


def test_an_address_that_is_none_is_said_with_the_variables_name() -> None:
    with (
        pytest.raises(SetupError, match="DRONETEAM_DASK='nonsense://x'"),
        executor("nonsense://x", 2),
    ):
        pass


def test_a_scheduler_without_workers_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_S", 2.0)
    with (
        local_cluster(tmp_path, workers=0) as cluster,
        pytest.raises(SetupError, match="has no worker; start some with"),
        connected(cluster.address),
    ):
        pass


def test_without_an_address_the_work_stays_here() -> None:
    with executor(None, 3) as found:
        assert found == LocalExecutor(3)
