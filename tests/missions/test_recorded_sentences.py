"""What is recorded of a sortie reaches its reader in Dutch and French, facts and all."""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest

from droneteam.detection.alert import Kind as AlertKind
from droneteam.missions.fieldlog import CHECKS
from droneteam.missions.flight.checklist import CheckBar, CheckFault
from droneteam.missions.flight.pilot import WISHES
from droneteam.missions.flight.preflight import Readings, checks
from droneteam.missions.flight.runner import _intent_kind
from droneteam.missions.flight.state import GOING_HOME, Ending, Event, Note, Phase, PilotWants
from droneteam.missions.flight.turns import TurnBar, Wait
from droneteam.missions.items import MissionType
from droneteam.missions.mavlink.messages import (
    CommandId,
    CommandLong,
    CopterMode,
    MissionClear,
    MissionCount,
    Outbound,
    ParamSet,
)
from droneteam.missions.record.sentences import OWN_WORDS, kind_told, told
from droneteam.sentences import UNTRANSLATED
from tests.missions.fake_copter import FakeCopter, fly_fake
from tests.missions.fake_vehicle import BadLink
from tests.missions.test_flight import ORDER, a_flight

LANGUAGES = ("nl", "fr")
MISSIONS = Path(str(resources.files("droneteam.missions")))
SPEAKING = [
    *sorted((MISSIONS / "flight").glob("*.py")),
    *(MISSIONS / "mavlink" / f"{name}.py" for name in ("calls", "camerawatch", "fetching", "ftp")),
    *(MISSIONS / "mavlink" / f"{name}.py" for name in ("ftplist", "gimbals", "logs", "logstore")),
    *(MISSIONS / "mavlink" / f"{name}.py" for name in ("parameters", "protocol", "retrieval")),
    MISSIONS / "mavlink" / "timesync.py",
    MISSIONS / "record" / "sortie.py",
    MISSIONS / "record" / "dataflash.py",
]
"""Where sentences are made that a journal, a packet log or a sortie's row keeps."""
NOT_RECORDED = {
    "assigned pilot": "told on the mission's page by who has to sign",
    "second person": "told on the mission's page by who has to sign",
    "ekf variance": "looked for in what the vehicle says",
    "live states": "the name of a thread's work",
    "{}, for the flight that {} began": "who a line is by, which is not shown with it",
}


@functools.cache
def table() -> list[dict[str, str]]:
    text = (MISSIONS / "record" / "sentences.json").read_text("utf-8")
    rows: list[dict[str, str]] = json.loads(text)
    return rows


def alone() -> list[str]:
    return [row["en"] for row in table() if "kind" not in row]


def words(kind: str) -> set[str]:
    return {row["en"] for row in table() if row.get("kind") == kind}


def known(text: str) -> bool:
    return all(UNTRANSLATED not in told(text, language) for language in LANGUAGES)


# What the sources can say


def said_in(node: ast.AST) -> Iterator[str]:
    """The sentences in a piece of source: no docstrings, errors or lines of the log."""
    if isinstance(node, ast.Raise):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("log.", "super")):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield re.sub(r"\{\w+\}", "{}", node.value)
    elif isinstance(node, ast.JoinedStr):
        parts = [one.value if isinstance(one, ast.Constant) else "{}" for one in node.values]
        yield "".join(str(part) for part in parts)
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                yield from said_in(one.value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from said_in(child)


@functools.cache
def sentences_of(path: Path) -> tuple[str, ...]:
    """What has at least two words of letters."""
    found = said_in(ast.parse(path.read_text("utf-8")))
    return tuple(one for one in found if " " in one.strip() and re.search("[a-z]{2}", one))


def in_the_book(text: str) -> bool:
    """Whether each run of words between its facts stands in a sentence of the book."""
    book = "\n".join(row["en"] for row in table())
    return all(run in book for run in runs(text))


def runs(text: str) -> list[str]:
    """The words between the facts of a sentence, without what joins them."""
    return [run.strip(" ;:,()") for run in re.split(r"\{\w*\}|: ", text)]


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.stem)
def test_every_sentence_that_can_be_recorded_is_in_the_book(path: Path) -> None:
    missing = [
        text for text in sentences_of(path) if text not in NOT_RECORDED and not in_the_book(text)
    ]
    assert missing == []


def test_every_sentence_of_the_book_can_still_be_said() -> None:
    """Some words of each that follow each other stand in the code that says them."""
    others = ("missions/record/journal.py", "missions/items.py", "commands/intruders.py")
    paths = [*SPEAKING, *(MISSIONS.parent / other for other in others)]
    said = "\n".join(text for path in paths for text in said_in(ast.parse(path.read_text("utf-8"))))
    telling = {one: [run for run in windows(one) if len(run) >= 6] for one in alone()}
    assert [
        one for one, found in telling.items() if found and not any(w in said for w in found)
    ] == []
    assert sum(map(bool, telling.values())) > 150


def windows(sentence: str) -> list[str]:
    """Two words and more that follow each other in a sentence, without its facts."""
    facts = r"\{\w+\}|True|False|None|unknown|[;:,()]"
    pieces = [piece.split() for piece in re.split(facts, sentence)]
    return [" ".join(piece[i : i + 2]) for piece in pieces for i in range(max(1, len(piece) - 1))]


# What the book holds


def test_every_sentence_has_the_same_facts_in_every_language() -> None:
    for row in table():
        parts = [set(re.findall(r"\{(\w+)\}", row[language])) for language in ("en", "nl", "fr")]
        assert parts[0] == parts[1] == parts[2], row["en"]


def test_no_word_and_no_sentence_is_left_without_a_form() -> None:
    for row in table():
        assert row["nl"].strip()
        assert row["fr"].strip()
        words_of_it = re.findall(r"[a-z]{3,}", re.sub(r"\{\w+\}", "", row["en"]))
        if len(words_of_it) > 2:
            assert row["en"] not in (row["nl"], row["fr"])


def example(sentence: str) -> str:
    """A sentence with facts in it."""
    text = re.sub(r"\{n_\w+\}", "12.5", sentence)
    text = re.sub(r"\{(?:text|list)\w*\}", "the mission holds", text)
    text = re.sub(r"\{said\w*\}", "PreArm", text)
    text = re.sub(r"\{code\w*\}", "LOITER", text)
    for kind in {row["kind"] for row in table() if "kind" in row}:
        text = re.sub(rf"\{{{kind}(?:_\w+)?\}}", sorted(words(kind))[0], text)
    return re.sub(r"\{\w+\}", "D1", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_recognised_as_itself(language: str) -> None:
    """The form has every word of its own row: no wider pattern takes it first."""
    for row in table():
        if "kind" in row:
            continue
        got = told(example(row["en"]), language)
        assert UNTRANSLATED not in got, row["en"]
        assert "12.5" not in got
        for piece in re.split(r"\{\w+\}", row[language]):
            assert piece in got, (row["en"], got)


# The words of codes


def failures() -> set[str]:
    found = set()
    for path in (MISSIONS / "mavlink").glob("*.py"):
        text = path.read_text("utf-8")
        found |= set(re.findall(r'"((?:[a-z]+-)+[a-z]+)"', text))
    return found


def kinds_noted() -> set[str]:
    """The first word of each note in the sources, and of each event of a packet log."""
    found: set[str] = set()
    for path in SPEAKING:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            place = {"Note": 0, "note": 0, "_note": 1, "SortieEvent": 1}.get(name)
            if place is None or len(node.args) <= place:
                continue
            first = node.args[place]
            named = first.value if isinstance(first, ast.Constant) else None
            found |= {str(named)} if isinstance(named, str) and " " not in named else set()
    return found


def test_every_code_in_a_sentence_has_a_word() -> None:
    assert {one.value for one in Phase} == words("phase")
    assert {one.value for one in Ending} == words("ending")
    assert set(WISHES) == words("wish")
    assert set(CHECKS) == words("item")
    assert set(get_args(AlertKind)) == words("alert")
    assert {one.name for one in checks(ORDER, Readings())} == words("check")
    assert failures() <= words("failure")
    assert kinds_noted() <= words("event")
    assert len(kinds_noted()) > 15


def test_what_bars_an_arming_is_said_in_every_language() -> None:
    for fault in CheckFault:
        for item in CHECKS:
            assert known(f"not armed yet: the crew's checklist: {CheckBar(item, fault)}")
    for wait in Wait:
        assert known(f"not armed yet: {TurnBar(wait, 'Arend 2', 12, 1)}"), wait


# What flights record


@pytest.mark.parametrize("wish", WISHES)
def test_every_line_of_a_flown_sortie_is_said_in_every_language(wish: str) -> None:
    asked: list[float] = []

    def meddle(now_s: float, copter: FakeCopter) -> Event | None:
        if not asked and copter.seq >= 2:
            asked.append(now_s)
            return PilotWants(wish, now_s, "user 3 (pilot)")
        late = asked and now_s > asked[0] + 60.0 and copter.mode not in GOING_HOME
        return PilotWants("rtl", now_s) if late and copter.armed else None

    outcome = fly_fake(a_flight(), FakeCopter(), meddle=meddle)
    assert len(outcome.notes) > 15
    assert unsaid(outcome.notes) == []


@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("cut_s", [(1e9, 1e9), (80.0, 100.0), (80.0, 400.0)])
def test_what_a_bad_link_leads_to_is_said_in_every_language(
    loss: float, cut_s: tuple[float, float]
) -> None:
    outcome = fly_fake(a_flight(), FakeCopter(), BadLink(loss=loss, cut_s=cut_s, seed=4))
    assert unsaid(outcome.notes) == []
    assert known(outcome.flight.reason)


def unsaid(notes: list[Note]) -> list[Note]:
    """The lines of a journal that a reader of Dutch or French would find in English."""
    return [one for one in notes if one.kind not in OWN_WORDS and not known(one.detail)]


def test_what_nobody_recorded_is_shown_and_marked() -> None:
    assert told("the moon is full", "nl") == "[en] the moon is full"
    assert told("the moon is full", "en") == "the moon is full"
    assert kind_told("moon", "fr") == "moon"
    mixed = told("RTL: Battery 1 Failsafe; the mission holds", "nl")
    assert mixed == "RTL: [en] Battery 1 Failsafe; de opdracht staat stil"


SENT = {
    "MissionClear(mission_type=<MissionType.RALLY: 2>)": "MISSION_CLEAR_ALL RALLY",
    "MissionCount(count=44, mission_type=<MissionType.FENCE: 1>)": "MISSION_COUNT FENCE 44",
    "ParamSet(name='FENCE_ENABLE', value=1.0)": "PARAM_SET FENCE_ENABLE = 1.0",
    "CommandLong(command=<CommandId.DO_SET_MODE: 176>, params=(1.0, 4.0), confirmation=0, "
    "component=1)": "DO_SET_MODE GUIDED",
    "CommandLong(command=<CommandId.COMPONENT_ARM_DISARM: 400>, params=(0.0,), confirmation=0, "
    "component=1)": "COMPONENT_ARM_DISARM 0",
    "CommandLong(command=<CommandId.TAKEOFF: 22>, params=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 16.64), "
    "confirmation=0, component=1)": "TAKEOFF 0 0 0 0 0 0 16.64",
    "CommandLong(command=<CommandId.MISSION_START: 300>, params=(), confirmation=0, component=1)":
        "MISSION_START",
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
@pytest.mark.parametrize("written", SENT)
def test_a_message_to_the_vehicle_is_named_as_mavlink_names_it(written: str, language: str) -> None:
    said = told(f"{written} because: the mission ends", language)
    assert said.startswith(SENT[written] + {"en": " because: ", "nl": ", ", "fr": ", "}[language])


def test_every_intent_that_the_controller_writes_is_named(tmp_path: Path) -> None:
    """The written form is that of the very classes: one that changed would be shown raw."""
    messages: list[tuple[Outbound, str]] = [
        (MissionClear(MissionType.FENCE), "MISSION_CLEAR_ALL FENCE"),
        (MissionCount(3), "MISSION_COUNT MISSION 3"),
        (ParamSet("RTL_ALT", 2200.0), "PARAM_SET RTL_ALT = 2200.0"),
        (CommandLong(CommandId.LAND), "LAND"),
        (CommandLong(CommandId.DO_SET_MODE, (1.0, float(CopterMode.RTL))), "DO_SET_MODE RTL"),
        (CommandLong(CommandId.COMPONENT_ARM_DISARM, (1.0, 0.0)), "COMPONENT_ARM_DISARM 1 0"),
    ]
    for message, name in messages:
        assert _intent_kind(message) is not None
        assert told(f"{message} because: x", "en") == f"{name} because: x"
