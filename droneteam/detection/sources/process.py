"""A sniffer that runs as a program of its own and writes a capture: Sniffle, tcpdump, dumpcap.

The program's command line is a setting; we start it, read the pcap or pcapng stream that it
writes to its standard output, or to the pipe that stands for "{fifo}" among its arguments, and
start it again when it ends.  What it says on its standard error is what the receiver complains of.
Sniffle is under the GPL and stays outside: nothing of it is imported, only its bytes are read.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from droneteam.detection import capture, frames
from droneteam.detection.feeds import Outlet
from droneteam.detection.receivers import of_packet
from droneteam.errors import DecodeError, InputError, LinkError, SetupError

FIFO = "{fifo}"
READ_S = 0.5
READ_BYTES = 65536
ENDED_S = 5.0
"""How long a program that was asked to end may take before it is ended."""
KEPT_LINES = 3
MAX_LINE_BYTES = 200


@dataclass(frozen=True, slots=True)
class CaptureProcess:
    """A program that writes a capture.

    command : the program and its arguments; one of them may hold FIFO.
    """

    command: tuple[str, ...]
    kind: str = "capture"

    def __post_init__(self) -> None:
        if not self.command or not self.command[0].strip():
            raise InputError("command names no program", field="command")

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Read what the program writes until `stop` is set; LinkError when it ends."""
        with tempfile.TemporaryDirectory(prefix="droneteam-capture-") as folder:
            self._follow(Path(folder) / "pipe", outlet, stop)

    def _follow(self, fifo: Path, outlet: Outlet, stop: threading.Event) -> None:
        with self._run(fifo) as program:
            outlet.connected()
            pipe = _Pipe(program, outlet, stop)
            try:
                for packet in capture.read_packets(pipe):
                    self._take(packet, outlet)
            except DecodeError as error:
                if not stop.is_set() and program.process.poll() is None:
                    raise LinkError(f"{self.command[0]} writes no capture: {error}") from error
            if not stop.is_set():
                raise LinkError(program.ended())

    def _take(self, packet: capture.Packet, outlet: Outlet) -> None:
        if packet.link_type not in frames.LINK_TYPES:
            raise LinkError(
                f"{self.command[0]} captures packets of link type {packet.link_type}; "
                f"Remote ID is read from {', '.join(map(str, frames.LINK_TYPES))}"
            )
        try:
            received = of_packet(packet, outlet.name)
        except DecodeError as error:
            outlet.refuse(error)
            return
        if received is not None:
            outlet.put(received)

    @contextmanager
    def _run(self, fifo: Path) -> Iterator[_Program]:
        through_fifo = any(FIFO in part for part in self.command)
        arguments = [part.replace(FIFO, str(fifo)) for part in self.command]
        if shutil.which(arguments[0]) is None:
            raise SetupError(
                f"{arguments[0]} is not a program that can be run; install it, or correct the "
                "receiver's command"
            )
        descriptor = -1
        if through_fifo:
            os.mkfifo(fifo, 0o600)
            # Opened before the program starts, without waiting for it.
            descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if through_fifo else subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if process.stdout is not None:
            descriptor = os.dup(process.stdout.fileno())
        program = _Program(arguments[0], process, descriptor)
        try:
            yield program
        finally:
            program.end()


@dataclass(slots=True)
class _Program:
    """A running program, its capture's descriptor, and the last that it said."""

    name: str
    process: subprocess.Popen[bytes]
    descriptor: int
    said: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    listening: threading.Thread | None = None

    def __post_init__(self) -> None:
        assert self.process.stderr is not None
        self.listening = threading.Thread(
            target=self._listen, args=(self.process.stderr,), daemon=True
        )
        self.listening.start()

    def _listen(self, errors: IO[bytes]) -> None:
        while line := errors.readline(MAX_LINE_BYTES):
            if text := line.decode("utf-8", "replace").strip():
                self.said.append(text)

    def ended(self) -> str:
        """How it ended, and what it said last."""
        try:
            status = self.process.wait(ENDED_S)
        except subprocess.TimeoutExpired:
            return f"{self.name} closed its capture and still runs"
        if self.listening is not None:
            self.listening.join(ENDED_S)
        how = f"ended with status {status}" if status >= 0 else f"was ended by signal {-status}"
        return f"{self.name} {how}" + "".join(f"; {line}" for line in self.said)

    def end(self) -> None:
        """End it, and whatever it has started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                break
            os.killpg(self.process.pid, number)
            try:
                self.process.wait(ENDED_S)
            except subprocess.TimeoutExpired:
                continue
        os.close(self.descriptor)
        if self.process.stdout is not None:
            self.process.stdout.close()
        if self.listening is not None:
            self.listening.join(ENDED_S)
        if self.process.stderr is not None:
            self.process.stderr.close()


@dataclass(slots=True)
class _Pipe:
    """The capture as a file: reading waits, says that the program lives, and heeds `stop`."""

    program: _Program
    outlet: Outlet
    stop: threading.Event
    _held: bytearray = field(default_factory=bytearray)
    _ended: bool = False

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer only when the program has ended or `stop` is set."""
        while len(self._held) < size and not self._ended:
            self._more()
        data = bytes(self._held[:size])
        del self._held[:size]
        return data

    def _more(self) -> None:
        if self.stop.is_set():
            self._ended = True
            return
        poll = select.poll()
        poll.register(self.program.descriptor, select.POLLIN)
        if poll.poll(READ_S * 1000.0):
            content = os.read(self.program.descriptor, READ_BYTES)
            self._held += content
            self._ended = not content
        elif self.program.process.poll() is not None:
            self._ended = True  # it never opened its pipe
        self.outlet.alive()
