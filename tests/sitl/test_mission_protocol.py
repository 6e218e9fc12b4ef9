"""The mission protocol answers as a real ArduCopter was measured to answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.items import MISSION_SPECS, Cmd, Frame, MissionItem, Result, as_stored, refusal
from sitl.modes import Mode
from tests.sitl.bench import HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at, do


def way(count: int, height_m: float) -> list[MissionItem]:
    return [HOME_ITEM] + [at(5.0 * n, 10.0, height_m) for n in range(1, count)]


def requests(bench: Bench) -> list[int]:
    return [message.seq for message in bench.gcs.of("MISSION_REQUEST")]


def acks(bench: Bench) -> list[int]:
    return [message.type for message in bench.gcs.of("MISSION_ACK")]


def test_an_upload_is_asked_for_with_the_old_request_and_reads_back_whole() -> None:
    bench = Bench()
    items = [HOME_ITEM, TAKE_OFF_20, at(10, 0, 20), at(20, 0, 25.5), RETURN]
    assert bench.gcs.upload(items) == Result.ACCEPTED
    assert requests(bench) == [0, 1, 2, 3, 4]
    assert not bench.gcs.of("MISSION_REQUEST_INT")
    down = bench.gcs.download()
    assert [(d.command, d.x, d.y) for d in down] == [(i.command, i.x, i.y) for i in items]
    assert down[3].z == pytest.approx(25.5)


def test_item_0_reads_back_as_home_and_frame_2_as_0() -> None:
    bench = Bench()
    bench.gcs.upload([at(500, 500, 77), TAKE_OFF_20, do(Cmd.DO_CHANGE_SPEED, 1, 5), RETURN])
    down = bench.gcs.download()
    assert (down[0].x, down[0].y) == (HOME_ITEM.x, HOME_ITEM.y)
    assert down[0].z == pytest.approx(100.0 - 43.6)
    assert [d.frame for d in down] == [0, 3, 0, 0]


def test_a_silent_sender_leaves_new_and_old_items_mixed() -> None:
    bench = Bench()
    assert bench.gcs.upload(way(10, 20.0)) == 0
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 12, 0))
    for seq, item in enumerate(way(12, 99.0)[:5]):
        bench.gcs.send(bench.gcs.item_message(seq, item))
    waited_s = bench.run_until(lambda: bool(acks(bench)))
    assert waited_s == pytest.approx(8.1, abs=0.15)
    assert acks(bench) == [Result.OPERATION_CANCELLED]
    assert requests(bench) == [0, 1, 2, 3, 4, 5] + [5] * 7
    assert "Mission upload timeout" in bench.gcs.texts()
    down = bench.gcs.download()
    assert [round(d.z) for d in down[1:]] == [99] * 4 + [20] * 5


def test_a_shorter_upload_forgets_the_rest_at_its_start() -> None:
    bench = Bench()
    bench.gcs.upload(way(10, 20.0))
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 4, 0))
    bench.run(9.0)
    assert len(bench.gcs.download()) == 4


def test_duplicates_and_strays_are_answered_13_and_the_upload_goes_on() -> None:
    bench = Bench()
    items = way(6, 20.0)
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 6, 0))
    for seq in (0, 1, 2, 2, 3, 5, 4, 5):
        bench.gcs.send(bench.gcs.item_message(seq, items[seq]))
    assert acks(bench) == [13, 13, 0]
    assert requests(bench) == [0, 1, 2, 3, 4, 5]


def test_an_item_after_completion_is_answered_1() -> None:
    bench = Bench()
    items = way(3, 20.0)
    bench.gcs.upload(items)
    bench.gcs.send(bench.gcs.item_message(2, items[2]))
    assert acks(bench) == [Result.ACCEPTED, Result.ERROR]


@pytest.mark.parametrize(
    ("item", "result"),
    [
        (replace(at(0, 0, 20), x=910_000_000), 10),
        (replace(at(0, 0, 20), y=1_810_000_000), 11),
        (replace(at(0, 0, 20), z=float("nan")), 12),
        (replace(at(0, 0, 20), z=90_000.0), 12),
        (do(31_999), 3),
        (replace(at(0, 0, 20), frame=7), 2),
        (do(Cmd.DO_CHANGE_SPEED, 1, float("nan")), 7),
    ],
)
def test_an_item_that_makes_no_sense_is_refused_by_its_reason(
    item: MissionItem, result: int
) -> None:
    bench = Bench()
    assert bench.gcs.upload([HOME_ITEM, item]) == result


def test_650_items_fit_and_651_do_not() -> None:
    bench = Bench()
    assert bench.gcs.upload(way(650, 20.0)) == Result.ACCEPTED
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 651, 0))
    assert acks(bench) == [Result.NO_SPACE]
    assert bench.gcs.texts() == ["Only 650 items are supported"]
    assert len(bench.gcs.download()) == 650


def test_right_after_boot_there_is_no_space() -> None:
    bench = Bench(ready=False)
    bench.run(1.0)
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 3, 0))
    assert acks(bench) == [Result.NO_SPACE]
    bench.run(1.0)
    assert bench.gcs.upload(way(3, 20.0)) == Result.ACCEPTED


def test_a_second_station_is_denied_while_the_first_uploads() -> None:
    bench = Bench()
    other = bench.join(254)
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 3, 0))
    other.send(mav.MAVLink_mission_count_message(1, 1, 2, 0))
    other.send(mav.MAVLink_mission_request_list_message(1, 1, 0))
    other.send(mav.MAVLink_mission_clear_all_message(1, 1, 0))
    assert [m.type for m in other.of("MISSION_ACK")] == [Result.DENIED] * 3
    assert [m.target_system for m in other.of("MISSION_ACK")] == [254] * 3
    for seq, item in enumerate(way(3, 20.0)):
        bench.gcs.send(bench.gcs.item_message(seq, item))
    assert acks(bench) == [Result.ACCEPTED]


def test_a_station_that_reconnects_need_not_wait_for_its_old_upload() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 3, 0))
    bench.gcs.hang_up()
    again = bench.join(255)
    assert again.upload(way(3, 20.0)) == Result.ACCEPTED


def test_a_restarted_upload_of_the_same_sender_begins_anew() -> None:
    bench = Bench()
    items = way(4, 20.0)
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 4, 0))
    bench.gcs.send(bench.gcs.item_message(0, items[0]))
    assert bench.gcs.upload(items) == Result.ACCEPTED


def test_clearing_works_on_the_ground_and_not_in_auto() -> None:
    bench = Bench()
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, at(50, 0, 20), RETURN])
    bench.run(2.0)
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_clear_all_message(1, 1, 0))
    assert acks(bench) == [Result.ERROR]
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.send(mav.MAVLink_mission_clear_all_message(1, 1, 0))
    assert acks(bench) == [Result.ERROR, Result.ACCEPTED]
    assert bench.gcs.download() == []


def test_a_part_of_the_mission_can_be_replaced() -> None:
    bench = Bench()
    bench.gcs.upload(way(6, 20.0))
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_write_partial_list_message(1, 1, 4, 5, 0))
    for seq in (4, 5):
        bench.gcs.send(bench.gcs.item_message(seq, at(0, 0, 35)))
    assert requests(bench) == [4, 5]
    assert acks(bench) == [Result.ACCEPTED]
    assert [round(d.z) for d in bench.gcs.download()[1:]] == [20, 20, 20, 35, 35]


@pytest.mark.parametrize(("first", "last"), [(3, 9), (4, 3), (-1, 2)])
def test_a_part_outside_the_mission_is_an_error(first: int, last: int) -> None:
    bench = Bench()
    bench.gcs.upload(way(6, 20.0))
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_write_partial_list_message(1, 1, first, last, 0))
    assert acks(bench) == [Result.ERROR]


def test_a_fence_is_checked_as_a_whole() -> None:
    bench = Bench()
    vertex = Cmd.FENCE_POLYGON_VERTEX_INCLUSION
    corners = [(-50, -50), (50, -50), (50, 50), (-50, 50)]
    square = [at(e, n, 0, vertex, param1=4.0, frame=Frame.GLOBAL) for e, n in corners]
    assert bench.gcs.upload(square, kind=1) == Result.ACCEPTED
    assert bench.gcs.texts() == ["Fence Indexed OK"]
    assert [d.param1 for d in bench.gcs.download(1)] == [4.0] * 4
    assert bench.gcs.upload(square[:3], kind=1) == Result.ERROR
    assert bench.gcs.texts() == ["Incorrect item count", "Fence validation failed"]


def test_rally_points_and_an_unknown_mission_type() -> None:
    bench = Bench()
    assert bench.gcs.upload([at(30, 30, 20, Cmd.RALLY_POINT)], kind=2) == Result.ACCEPTED
    assert [d.command for d in bench.gcs.download(2)] == [Cmd.RALLY_POINT]
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_request_list_message(1, 1, 9))
    assert acks(bench) == [mav.MAV_MISSION_UNSUPPORTED]


def test_the_float_items_of_old_clients_are_stored_the_same() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, 2, 0))
    for seq, (lat_deg, lon_deg) in enumerate([(50.8, 4.3), (50.8198, 4.3911)]):
        bench.gcs.send(
            mav.MAVLink_mission_item_message(
                1, 1, seq, 3, 16, 0, 1, 0, 0, 0, 0, lat_deg, lon_deg, 20.0, 0
            )
        )
    assert acks(bench) == [Result.ACCEPTED]
    bench.gcs.send(mav.MAVLink_mission_request_message(1, 1, 1, 0))
    answer = bench.gcs.last("MISSION_ITEM")
    assert answer.x == pytest.approx(50.8198, abs=4e-6)
    assert answer.y == pytest.approx(4.3911, abs=4e-6)


def test_asking_for_an_item_that_is_not_there_is_answered_13() -> None:
    bench = Bench()
    bench.gcs.upload(way(3, 20.0))
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_mission_request_int_message(1, 1, 3, 0))
    assert acks(bench) == [Result.INVALID_SEQUENCE]


numbers = st.floats(-1e4, 1e4, width=32)


@given(
    command=st.sampled_from(sorted(MISSION_SPECS)),
    frame=st.sampled_from([0, 2, 3, 5, 6, 10, 11]),
    params=st.tuples(numbers, numbers, numbers, numbers),
    x=st.integers(-900_000_000, 900_000_000),
    y=st.integers(-1_800_000_000, 1_800_000_000),
    z=numbers,
)
def test_what_is_stored_is_accepted_again_and_does_not_change_further(
    command: int, frame: int, params: tuple[float, float, float, float], x: int, y: int, z: float
) -> None:
    item = MissionItem(command, frame, *params, x=x, y=y, z=z)
    assert refusal(item, MISSION_SPECS) is None
    stored = as_stored(item, MISSION_SPECS)
    assert refusal(stored, MISSION_SPECS) is None
    assert as_stored(stored, MISSION_SPECS) == stored


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("cipqrxw"), st.integers(0, 7)), max_size=40))
def test_no_order_of_messages_breaks_the_vehicle(steps: list[tuple[str, int]]) -> None:
    bench = Bench(ready=False)
    bench.run(2.0)
    items = way(8, 20.0)
    for kind, number in steps:
        match kind:
            case "c":
                bench.gcs.send(mav.MAVLink_mission_count_message(1, 1, number, 0))
            case "i":
                bench.gcs.send(bench.gcs.item_message(number, items[number]))
            case "p":
                bench.gcs.send(
                    mav.MAVLink_mission_write_partial_list_message(1, 1, number, number + 1, 0)
                )
            case "q":
                bench.gcs.send(mav.MAVLink_mission_request_int_message(1, 1, number, 0))
            case "r":
                bench.gcs.send(mav.MAVLink_mission_request_list_message(1, 1, 0))
            case "x":
                bench.gcs.send(mav.MAVLink_mission_clear_all_message(1, 1, 0))
            case "w":
                bench.run(float(number))
    bench.run(9.0)
    assert bench.gcs.upload(items) == Result.ACCEPTED
    assert len(bench.gcs.download()) == 8
