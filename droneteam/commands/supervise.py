"""Child processes of a command: started together, ended together, their output kept in files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from droneteam.errors import SetupError

STOP_S = 20.0
TAIL_LINES = 15


@dataclass(slots=True)
class Child:
    """One running process and the file that holds what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def require_running(self) -> None:
        """Nothing, while it runs; SetupError with the end of its output otherwise."""
        status = self.process.poll()
        if status is not None:
            raise SetupError(f"{self.name} ended with status {status}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines that it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def stop(self) -> None:
        """End it: asked first, and its whole process group killed when it does not listen."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Children:
    """The processes that a command started; leaving the context ends them, the last one first."""

    def __init__(self, log_dir: Path, environ: Mapping[str, str]) -> None:
        self._log_dir = log_dir
        self._environ = dict(environ)
        self._children: list[Child] = []
        log_dir.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            child.stop()

    def start(self, name: str, module: str, arguments: Sequence[object]) -> Child:
        """A Python module as a process of its own."""
        log = self._log_dir / f"{name}.log"
        command = [sys.executable, "-m", module, *map(str, arguments)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environ,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def require_running(self) -> None:
        """Nothing, while all run."""
        for child in self._children:
            child.require_running()


def wait_for_file(path: Path, child: Child, timeout_s: float) -> None:
    """Nothing, once the file is there.

    Raises
    ------
    SetupError
        The child has ended, or the file did not come in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not path.exists():
        child.require_running()
        if time.monotonic() > deadline_s:
            raise SetupError(f"{child.name} was not ready within {timeout_s:.0f} s")
        time.sleep(0.1)
