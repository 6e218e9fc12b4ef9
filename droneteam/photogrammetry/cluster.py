"""Units of work on a Dask cluster: the only module that talks to `distributed`.

The cluster executes; what is finished lies in the scene's folder and the job row stays the truth,
so a scheduler that goes away costs the running stage at most.  Workers read photos and write
intermediate files by their paths: photos and scene must lie on a disk that all machines mount at
the same place.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager as ContextManager
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from droneteam.errors import SceneError, SetupError
from droneteam.photogrammetry.executor import (
    Executor,
    Item,
    LocalExecutor,
    Result,
    Shared,
    in_order,
)
from droneteam.photogrammetry.manifest import source_digest

logger = logging.getLogger(__name__)

VARIABLE = "DRONETEAM_DASK"
CONNECT_S = 10.0
"""How long a scheduler may take to answer, and to have a first worker."""
AHEAD_PER_THREAD = 2
"""Units sent ahead of the one awaited, per thread of the cluster: enough to hide the network."""
RESUBMISSIONS = 3
"""How often a unit is sent again when the cluster lost what it needs."""
LIBRARIES = ("numpy", "numba", "opencv-python-headless", "pycolmap", "scipy")
"""Whose versions decide results."""


def executor(address: str | None, threads: int) -> ContextManager[Executor]:
    """The cluster at an address, or this machine's own cores without one.

    Raises
    ------
    SetupError
        On entering: nothing answers there, or its workers run other versions.
    """
    return connected(address) if address else nullcontext(LocalExecutor(threads))


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """The cluster whose scheduler listens at `address` ("tcp://host:8786").

    Raises
    ------
    SetupError
        `distributed` is not installed, nothing answers at the address, the cluster has no worker,
        or a worker would give other results than this machine.
    """
    distributed = _library()
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SetupError(
            f"{VARIABLE}={address!r}: no Dask scheduler answers there ({error}); start one with "
            f"`dask scheduler`, correct the address, or unset {VARIABLE} to work on this machine"
        ) from error
    try:
        _require_workers(client, address)
        _require_same_software(client)
        yield ClusterExecutor(client, address)
    finally:
        client.close(timeout=CONNECT_S)


@dataclass(frozen=True, slots=True)
class ClusterExecutor:
    """Units on a cluster's workers; a worker that dies costs its units' time and nothing else."""

    client: Any
    address: str

    def map(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        holds_lock: bool = False,
        unit_bytes: int = 0,
    ) -> Iterator[Result]:
        """See `Executor`; how many units a worker runs at once is its own `--nthreads`."""
        batch = _Batch(self, function, shared)
        ahead = AHEAD_PER_THREAD * max(1, sum(self.client.nthreads().values()))
        return in_order(batch.submit, items, ahead)

    def require_sight(self, paths: Iterable[Path]) -> None:
        """See `Executor`."""
        wanted = [str(path) for path in paths]
        for worker, missing in self.client.run(_unseen, wanted).items():
            if missing:
                raise SetupError(
                    f"the Dask worker {worker} does not see {missing[0]}; photos and scenes must "
                    "lie on a disk that every worker mounts at the same place"
                )


class _Batch:
    """The units of one `map`, and what they share on the workers."""

    def __init__(
        self, cluster: ClusterExecutor, function: Callable[[Any, Any], Any], shared: Any
    ) -> None:
        self.cluster = cluster
        self._function = function
        self._shared = shared
        self._sent = self._scattered()

    def submit(self, item: Any) -> _Unit:
        """The unit, under way."""
        return _Unit(self, item)

    def start(self, item: Any) -> Any:
        """The library's own future."""
        return self.cluster.client.submit(self._function, self._sent, item, pure=False)

    def send_again(self) -> None:
        """Give the workers what the units share anew: those that held it are gone."""
        self._sent = self._scattered()

    def _scattered(self) -> Any:
        return self.cluster.client.scatter(self._shared, broadcast=True, hash=False)


class _Unit:
    """A unit of work that outlives the workers that lose it."""

    def __init__(self, batch: _Batch, item: Any) -> None:
        self._batch = batch
        self._item = item
        self._future = batch.start(item)

    def result(self) -> Any:
        """The unit's result.

        Raises
        ------
        SceneError
            The cluster cannot finish it; says why and what to do.
        """
        distributed = _library()
        lost = (distributed.client.FutureCancelledError, distributed.comm.CommClosedError, OSError)
        for attempt in range(RESUBMISSIONS + 1):
            try:
                return self._future.result()
            except distributed.scheduler.KilledWorker as error:
                raise self._failed(f"a unit of work ended several workers ({error})") from error
            except lost as error:
                if self._future.status == "error" or attempt == RESUBMISSIONS:
                    raise
                self._resubmit(error)
        raise AssertionError("unreachable")

    def cancel(self) -> None:
        """Drop the unit if it has not begun."""
        self._future.cancel()

    def _resubmit(self, error: Exception) -> None:
        client, address = self._batch.cluster.client, self._batch.cluster.address
        logger.warning("%s lost a unit of work, which is sent again: %s", address, error)
        if client.status != "running":
            raise self._failed(f"the Dask scheduler at {address} is gone") from error
        self._batch.send_again()
        self._future = self._batch.start(self._item)

    @staticmethod
    def _failed(what: str) -> SceneError:
        return SceneError(
            "cluster",
            what,
            help="Give the workers more memory, or run the same command again; finished stages "
            f"are kept. Without {VARIABLE} it runs on this machine",
        )


def _library() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise SetupError(
            f"{VARIABLE} is set and Dask is not installed; install droneteam[cluster] or unset it"
        ) from error


def _require_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        raise SetupError(
            f"{VARIABLE}={address!r}: the Dask scheduler has no worker; start some with "
            f"`dask worker {address}`"
        ) from error


def _require_same_software(client: Any) -> None:
    """Other code or libraries would give other results, and nobody would know which."""
    own = fingerprint()
    for worker, theirs in client.run(fingerprint).items():
        other = sorted(name for name in own if theirs.get(name) != own[name])
        if other:
            raise SetupError(
                f"the Dask worker {worker} runs another {', '.join(other)} than this machine; "
                "install the same release on both, for the same result"
            )


def fingerprint() -> dict[str, str]:
    """Versions of what decides results, and a digest of the stages' source."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"droneteam": source_digest("droneteam.photogrammetry.stages"), **versions}


def _unseen(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if not os.path.exists(path)]  # noqa: PTH110
