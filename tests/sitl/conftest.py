"""Which vehicles the tests of any vehicle run on, and a last word on which they did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sitl.vehicles import Hangar, Vehicle, hangar, kinds, named

REAL = {"arducopter": "ARDUCOPTER", "px4": "PX4"}
_flown: set[str] = set()


@pytest.fixture(scope="module", params=kinds())
def one_kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hangar]:
    """The embedded simulator, and every real autopilot that the environment names."""
    binary = named(request.param)
    if binary is not None and not binary.is_file():
        pytest.fail(f"{REAL[request.param]} names {binary}, which is no file", pytrace=False)
    vehicles = sum("vehicle" in getattr(item, "fixturenames", ()) for item in request.session.items)
    with hangar(request.param, tmp_path_factory.mktemp(request.param), vehicles) as found:
        yield found


@pytest.fixture
def vehicle(one_kind: Hangar) -> Iterator[Vehicle]:
    """A vehicle that no other test has flown."""
    with one_kind.vehicle() as found:
        _flown.add(found.kind)
        yield found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says on which vehicles the claims were tried: the embedded simulator proves less."""
    if not _flown:
        return
    missing = [name for kind, name in REAL.items() if kind not in _flown]
    line = f"vehicles of tests/sitl: {', '.join(sorted(_flown))}"
    if len(missing) == len(REAL):
        line += " only"
    if missing:
        line += f" (name a real one's binary in {' or '.join(missing)})"
    terminalreporter.write_line(line)
