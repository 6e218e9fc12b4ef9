"""The parameter protocol, as a ground station meets it."""

from __future__ import annotations

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.params import DEFAULTS, ParamType, as_stored
from tests.sitl.bench import Bench


def test_the_whole_list_comes_with_banner_types_and_indices() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_param_request_list_message(1, 1))
    bench.run(2.0)
    values = bench.gcs.of("PARAM_VALUE")
    assert [value.param_index for value in values] == list(range(len(DEFAULTS)))
    assert {value.param_count for value in values} == {len(DEFAULTS)}
    assert len(DEFAULTS) >= 60
    assert [value.param_id for value in values] == [name for name, _, _ in DEFAULTS]
    assert "ArduCopter V4.7.0-dev (90700977)" in bench.gcs.texts()


def test_a_parameter_is_read_by_name_and_by_index() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_param_request_read_message(1, 1, b"RTL_ALT", -1))
    by_name = bench.gcs.last("PARAM_VALUE")
    assert (by_name.param_id, by_name.param_value, by_name.param_type) == ("RTL_ALT", 1500.0, 6)
    bench.gcs.send(mav.MAVLink_param_request_read_message(1, 1, b"", by_name.param_index))
    assert bench.gcs.last("PARAM_VALUE").param_id == "RTL_ALT"


def test_an_unknown_parameter_gets_no_reply() -> None:
    bench = Bench()
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_param_request_read_message(1, 1, b"NO_SUCH", -1))
    bench.gcs.send(mav.MAVLink_param_request_read_message(1, 1, b"", 9999))
    bench.gcs.set_param("NO_SUCH", 1.0)
    assert not bench.gcs.received


def test_a_change_is_told_to_every_station_with_index_65535() -> None:
    bench = Bench()
    other = bench.join(254)
    bench.gcs.set_param("RTL_ALT", 2500.0)
    for station in (bench.gcs, other):
        told = station.last("PARAM_VALUE")
        assert (told.param_id, told.param_value, told.param_index) == ("RTL_ALT", 2500.0, 65535)


@pytest.mark.parametrize(
    ("value", "type_", "stored"),
    [
        (1.6, ParamType.INT8, 2.0),
        (300.0, ParamType.INT8, 127.0),
        (-40_000.0, ParamType.INT16, -32_768.0),
        (0.1, ParamType.REAL32, 0.10000000149011612),
        (1e300, ParamType.REAL32, 3.4028234663852886e38),
    ],
)
def test_values_are_kept_as_their_type_can(value: float, type_: ParamType, stored: float) -> None:
    assert as_stored(value, type_) == stored


def test_nan_changes_nothing_and_the_answer_shows_it() -> None:
    bench = Bench()
    bench.gcs.set_param("WPNAV_SPEED", math.nan)
    assert bench.gcs.last("PARAM_VALUE").param_value == 1000.0


def test_names_fit_the_message_and_are_unique() -> None:
    names = [name for name, _, _ in DEFAULTS]
    assert max(map(len, names)) <= 16
    assert len(set(names)) == len(names)


def test_speed_parameters_take_effect_in_flight() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.set_param("WPNAV_SPEED", 300.0)
    where = (int(50.8230 * 1e7), int(4.3908 * 1e7), 20.0)
    bench.gcs.command_int(mav.MAV_CMD_DO_REPOSITION, 6, (-1, 1, 0, 0), where)
    bench.run(10.0)
    assert bench.ap.body.ground_speed_mps == pytest.approx(3.0, abs=0.2)
