"""Units of work give the same results in the same order wherever they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.executor import LocalExecutor, in_order
from droneteam.photogrammetry.resources import available_memory_bytes
from tests.photogrammetry.dask_cluster import ROOT, wait_for

BASE = np.arange(5.0)


def scaled(base: np.ndarray, item: int) -> tuple[int, float]:
    """A unit whose result tells which item it was."""
    return item, float(base.sum() * item)


def where(_: None, item: int) -> tuple[int, int]:
    """The process and thread that ran it; slow enough for others to get their share."""
    time.sleep(0.05)
    return os.getpid(), threading.get_ident()


def fails_at_three(_: None, item: int) -> int:
    if item == 3:
        raise InputError("the third is bad", field="item")
    return item


def dies_at_two(_: None, item: int) -> int:
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.mark.parametrize("holds_lock", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_from_anywhere(workers: int, holds_lock: bool) -> None:
    found = list(LocalExecutor(workers).map(scaled, BASE, range(9), holds_lock=holds_lock))
    assert found == [(item, 10.0 * item) for item in range(9)]


def test_nothing_to_do_is_nothing_done() -> None:
    assert list(LocalExecutor(2).map(scaled, BASE, [])) == []


def test_one_worker_runs_in_this_thread() -> None:
    places = set(LocalExecutor(1).map(where, None, range(3), holds_lock=True))
    assert places == {(os.getpid(), threading.get_ident())}


def test_two_workers_are_two_threads_of_this_process() -> None:
    places = set(LocalExecutor(2).map(where, None, range(8)))
    assert {process for process, _ in places} == {os.getpid()}
    assert threading.get_ident() not in {thread for _, thread in places}


def test_what_holds_the_lock_runs_in_processes_of_its_own() -> None:
    processes = {p for p, _ in LocalExecutor(2).map(where, None, range(8), holds_lock=True)}
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2


@pytest.mark.parametrize("holds_lock", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_unit_fails_with_its_own_error(workers: int, holds_lock: bool) -> None:
    results = LocalExecutor(workers).map(fails_at_three, None, range(6), holds_lock=holds_lock)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InputError, match="third is bad"):
        next(results)


def test_a_process_that_is_killed_is_an_error_and_no_deadlock() -> None:
    with pytest.raises(BrokenProcessPool):
        list(LocalExecutor(2).map(dies_at_two, None, range(6), holds_lock=True))


def leaves_its_number(folder: str, item: int) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_process_takes_its_workers_along(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from droneteam.photogrammetry.executor import LocalExecutor\n"
        "from tests.photogrammetry.test_executor import leaves_its_number\n"
        "if __name__ == '__main__':\n"
        "    work = LocalExecutor(2).map\n"
        "    for _ in work(leaves_its_number, sys.argv[1], range(1_000_000), holds_lock=True):\n"
        "        pass\n"
    )
    (tmp_path / "program.py").write_text(code)
    marks = tmp_path / "marks"
    marks.mkdir()
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), str(marks)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        wait_for(lambda: len(list(marks.iterdir())) == 2, "two workers")
        workers = [int(path.name) for path in marks.iterdir()]
        assert all(runs(pid) for pid in workers)
        parent.kill()
    wait_for(lambda: not any(runs(pid) for pid in workers), "the workers' end")


class Recorder:
    """A future that notes when it was awaited and whether it was dropped."""

    def __init__(self, log: list[str], item: int) -> None:
        self.log, self.item = log, item
        log.append(f"start {item}")

    def result(self) -> int:
        self.log.append(f"await {self.item}")
        return self.item

    def cancel(self) -> None:
        self.log.append(f"cancel {self.item}")


def test_only_a_few_units_run_ahead_of_the_consumer() -> None:
    log: list[str] = []
    results: Iterator[int] = in_order(lambda item: Recorder(log, item), range(10), 2)
    assert next(results) == 0
    assert log == ["start 0", "start 1", "start 2", "await 0"]
    assert list(results) == list(range(1, 10))


def test_leaving_early_drops_what_has_not_begun() -> None:
    log: list[str] = []
    results = in_order(lambda item: Recorder(log, item), range(10), 3)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert log[-3:] == ["cancel 1", "cancel 2", "cancel 3"]


def test_no_workers_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        LocalExecutor(0)
    assert caught.value.field == "workers"


def test_this_machine_sees_its_own_files(tmp_path: Path) -> None:
    LocalExecutor(2).require_sight([tmp_path])


def test_units_that_do_not_fit_in_memory_together_run_one_after_the_other() -> None:
    """A unit that asks for all memory there is runs alone, and it runs."""
    free = available_memory_bytes()
    assert free is None or free > 10_000_000
    together = {t for _, t in LocalExecutor(4).map(where, None, range(8), unit_bytes=1)}
    alone = {t for _, t in LocalExecutor(4).map(where, None, range(3), unit_bytes=free or 1)}
    assert alone == {threading.get_ident()} or free is None
    assert threading.get_ident() not in together
