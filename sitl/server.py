"""Sockets and the wall clock: one TCP (or UDP) port per vehicle, like ArduPilot's SITL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sitl.autopilot import Autopilot
from sitl.channel import Channel
from sitl.faults import PERFECT, FaultSpec, FaultyLine
from sitl.simulation import Simulation
from sitl.station import Station

log = logging.getLogger(__name__)

TICK_S = 0.005
"""How often the simulation catches up with the wall clock."""
CATCH_UP_MAX_S = 0.05
"""Most wall time made up at once.  A process that was held up loses simulated time instead of
running blind through seconds in which no ground station could be heard."""
BACKLOG_LIMIT_BYTES = 4_000_000
"""A client that does not read loses frames beyond this."""


class Link:
    """One vehicle's link: its faults, and whether it is cut."""

    def __init__(self, station: Station, spec: FaultSpec, seed: int) -> None:
        self.station = station
        self._up = FaultyLine(spec, random.Random(seed))
        self._down = FaultyLine(spec, random.Random(seed + 1))
        self._transports: set[asyncio.Transport] = set()

    @property
    def cut(self) -> bool:
        """Whether nothing passes."""
        return self._up.cut

    def set_cut(self, cut: bool) -> None:
        """Silences the link, or lets it speak again; connections stay open."""
        self._up.cut = self._down.cut = cut

    def set_faults(self, spec: FaultSpec) -> None:
        """Makes the link as bad as told."""
        self._up.spec = self._down.spec = spec

    def drop_connections(self) -> None:
        """Closes every TCP connection."""
        for transport in list(self._transports):
            transport.close()

    def joined(self, transport: asyncio.Transport) -> None:
        """A TCP connection came."""
        self._transports.add(transport)

    def left(self, transport: asyncio.Transport) -> None:
        """A TCP connection went."""
        self._transports.discard(transport)

    def open(self, write: Callable[[bytes], None]) -> Channel:
        """A channel whose frames pass the faults on their way out."""
        return self.station.open(lambda frame: _pass(self._down, lambda: write(frame)))

    def receive(self, channel: Channel, data: bytes) -> None:
        """Bytes from a client; each frame in them passes the faults."""
        for message in channel.parse(data):
            _pass(self._up, lambda m=message: self.station.handle(channel, m))  # type: ignore[misc]


def _pass(line: FaultyLine, deliver: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    now_s = loop.time()
    for arrival_s in line.arrivals(now_s):
        if arrival_s <= now_s:
            deliver()
        else:
            loop.call_at(arrival_s, deliver)


class TcpClient(asyncio.Protocol):
    """One TCP connection to a vehicle."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._transport: asyncio.Transport | None = None
        self._channel: Channel | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Opens a channel."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._link.joined(transport)
        self._channel = self._link.open(self._write)

    def _write(self, frame: bytes) -> None:
        transport = self._transport
        if (
            transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() < BACKLOG_LIMIT_BYTES
        ):
            transport.write(frame)

    def data_received(self, data: bytes) -> None:
        """Hands frames to the vehicle."""
        if self._channel is not None:
            self._link.receive(self._channel, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closes the channel."""
        if self._transport is not None:
            self._link.left(self._transport)
        if self._channel is not None:
            self._link.station.close(self._channel)
        self._transport = self._channel = None


class UdpServer(asyncio.DatagramProtocol):
    """One vehicle's UDP port; every address that speaks to it is a ground station."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._transport: asyncio.DatagramTransport | None = None
        self._channels: dict[object, Channel] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport for answers."""
        # the selector loop's transport is one without inheriting from it
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hands frames to the vehicle; a new address gets a channel."""
        channel = self._channels.get(addr)
        if channel is None:
            channel = self._link.open(lambda frame: self._write(frame, addr))
            self._channels[addr] = channel
        self._link.receive(channel, data)

    def _write(self, frame: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(frame, addr)

    def error_received(self, exc: Exception) -> None:
        """A client that went away is no error of ours."""
        log.debug("UDP: %s", exc)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one vehicle is served."""

    sysid: int
    name: str
    link: str


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """How to serve.

    base_port : the first vehicle's port, each next one 10 higher; 0 takes free ports.
    """

    base_port: int = 0
    udp: bool = False
    faults: FaultSpec = PERFECT
    seed: int = 1
    host: str = "127.0.0.1"


class FleetServer:
    """Serves a simulation's vehicles and drives its time."""

    def __init__(self, simulation: Simulation, spec: ServerSpec) -> None:
        self.simulation = simulation
        self.speedup = 1.0
        self._spec = spec
        self.links = [
            Link(station, spec.faults, spec.seed * 7919 + 2 * number)
            for number, station in enumerate(simulation.stations)
        ]
        self._servers: list[asyncio.Server] = []
        self._datagrams: list[asyncio.BaseTransport] = []

    @property
    def fleet(self) -> list[Autopilot]:
        """The vehicles."""
        return [station.ap for station in self.simulation.stations]

    async def open(self) -> list[Endpoint]:
        """Binds every vehicle's port; returns where each is served."""
        return [await self._serve(number, link) for number, link in enumerate(self.links)]

    async def _serve(self, number: int, link: Link) -> Endpoint:
        loop, spec = asyncio.get_running_loop(), self._spec
        port = spec.base_port + 10 * number if spec.base_port else 0
        setup = link.station.ap.setup
        if spec.udp:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: UdpServer(link), local_addr=(spec.host, port)
            )
            self._datagrams.append(transport)
            bound = transport.get_extra_info("sockname")[1]
            return Endpoint(setup.sysid, setup.name, f"udpout:{spec.host}:{bound}")
        server = await loop.create_server(lambda: TcpClient(link), spec.host, port)
        self._servers.append(server)
        bound = server.sockets[0].getsockname()[1]
        return Endpoint(setup.sysid, setup.name, f"tcp:{spec.host}:{bound}")

    async def run(self, on_tick: Callable[[float], None]) -> None:
        """Drives time until cancelled; on_tick hears the simulated time after each tick."""
        loop = asyncio.get_running_loop()
        last_s = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            wall_s = min(now_s - last_s, CATCH_UP_MAX_S)
            last_s = now_s
            await self._advance(wall_s * self.speedup)
            on_tick(self.simulation.t_s)

    async def _advance(self, dt_s: float) -> None:
        """One tick's time, in portions between which sockets are served."""
        portion_s = TICK_S * self.speedup
        while dt_s > 0.0:
            self.simulation.advance(min(dt_s, portion_s))
            dt_s -= portion_s
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Closes every port and connection."""
        for server in self._servers:
            server.close()
        for link in self.links:
            link.drop_connections()
        for transport in self._datagrams:
            transport.close()
        for server in self._servers:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 1.0)
