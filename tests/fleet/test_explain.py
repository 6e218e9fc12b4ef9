"""Every request is explained: why, why not, and what would change it, in three languages."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from benchmarks.instances import NOW, Size, instance, small
from benchmarks.validator import violations
from droneteam.errors import InputError
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.assets.registry import Credential
from droneteam.fleet.explanations.explain import (
    Explanation,
    explain,
    fairness,
    gathered,
    sentence,
)
from droneteam.fleet.explanations.fitting import fit
from droneteam.fleet.explanations.sentences import LANGUAGES, TEMPLATES, WORDS
from droneteam.fleet.problem import Claim, Placement, Problem, Slot
from droneteam.fleet.terms import Reason, Window
from tests.fleet.test_allocation import job, problem_of


def explained(problem: Problem, request_id: int = 1) -> Explanation:
    return explain(problem, solve(problem), request_id)


def codes(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]


def test_a_served_request_names_drone_pilot_and_slot() -> None:
    found = explained(problem_of(job()))
    assert found.verdict == "served"
    assert codes(found.reasons) == [
        "drone.capable",
        "pilot.qualified",
        "pilot.balanced",
        "slot.wanted",
    ]


def test_the_only_free_drone_and_pilot_are_named_as_such() -> None:
    found = explained(problem_of(job(1), job(2)))
    assert {"drone.only_free", "pilot.only_free"} <= set(codes(found.reasons))


def test_a_moved_and_late_slot_is_said() -> None:
    start_at = NOW + timedelta(hours=7)
    moved = job(due_at=start_at - timedelta(minutes=30))
    moved = replace(moved, slots=(Slot(start_at, start_at + timedelta(hours=1), 10),))
    found = explained(problem_of(moved))
    assert {"slot.moved", "slot.late"} <= set(codes(found.reasons))


def test_a_missing_capability_is_the_only_reason_given() -> None:
    found = explained(problem_of(job(capabilities=frozenset({"thermal"}))))
    assert codes(found.reasons) == ["no.capability"]
    assert found.changes == ()


@pytest.mark.parametrize(
    ("drones", "pilots", "code"), [(0, 1, "no.drones"), (1, 0, "no.pilots"), (0, 0, "no.drones")]
)
def test_a_team_without_means_says_so_and_names_no_empty_list(
    drones: int, pilots: int, code: str
) -> None:
    problem = problem_of(job(1, capabilities=frozenset()), drones=drones, pilots=pilots)
    found = explain(problem, solve(problem), 1)
    assert codes(found.reasons) == [code]
    for language in ("fr", "nl", "en"):
        assert not sentence(found.reasons[0], language).rstrip(".").endswith((":", " "))


def test_a_missing_credential_names_the_credential() -> None:
    found = explained(problem_of(job(credentials=frozenset({"STS-02"}))))
    assert codes(found.reasons) == ["no.credential"]
    assert found.reasons[0].params["credential"] == "STS-02"


def test_an_expired_licence_names_pilot_and_date() -> None:
    problem = problem_of(job(), pilots=1)
    expired = (Credential("national", date(2025, 1, 1), date(2026, 5, 1)),)
    problem = replace(problem, pilots=(replace(problem.pilots[0], credentials=expired),))
    found = explained(problem)
    assert codes(found.reasons) == ["pilot.expired"]
    assert found.reasons[0].params["until"] == "2026-05-01"


def test_a_start_that_nobody_can_reach_says_when_a_crew_could() -> None:
    too_soon = job(slots=(Slot(NOW + timedelta(minutes=1), NOW + timedelta(hours=1), 10),))
    found = explained(problem_of(too_soon))
    assert codes(found.reasons) == ["too_late"]
    earliest = datetime.fromisoformat(str(found.reasons[0].params["earliest"]))
    assert earliest == NOW + timedelta(minutes=10)


def test_a_task_longer_than_a_duty_is_to_be_split() -> None:
    start_at = NOW + timedelta(hours=2)
    found = explained(problem_of(job(slots=(Slot(start_at, start_at + timedelta(hours=13), 10),))))
    assert "duty.too_long" in codes(found.reasons)


@pytest.mark.parametrize(
    ("scarce", "code", "wish"),
    [
        ({"drones": 1}, "all.drones", "if.more_drones"),
        ({"pilots": 1}, "all.pilots", "if.more_pilots"),
    ],
)
def test_the_scarce_resource_its_users_and_the_ways_out_are_named(
    scarce: dict[str, int], code: str, wish: str
) -> None:
    # the first is published, so that of two equal requests the second has to wait
    first = job(1, published=Placement(1, (1,), NOW + timedelta(hours=6)))
    found = explained(problem_of(first, job(2), **scarce), 2)  # type: ignore[arg-type]
    assert found.verdict == "unserved"
    assert code in codes(found.reasons)
    assert found.reasons[0].params["requests"] == "1"
    assert {"if.later", "if.displaced", wish} == set(codes(found.changes))
    displaced = next(reason for reason in found.changes if reason.code == "if.displaced")
    assert (displaced.params["request"], displaced.params["priority"]) == (1, "P3")


def test_a_more_urgent_request_is_never_offered_as_a_victim() -> None:
    found = explained(problem_of(job(1, priority="P2"), job(2), drones=1), 2)
    assert "if.displaced" not in codes(found.changes)


def test_short_packs_are_named_by_type() -> None:
    problem = problem_of(job(1, priority="P2"), job(2))
    found = explained(replace(problem, packs=problem.packs[:3]), 2)
    assert {"all.packs", "packs.short"} <= set(codes(found.reasons))


def test_the_later_time_that_is_offered_really_works() -> None:
    problem = problem_of(job(1, priority="P2"), job(2), drones=1)
    plan = solve(problem)
    offered = next(r for r in explain(problem, plan, 2).changes if r.code == "if.later")
    start_at = datetime.fromisoformat(str(offered.params["start"]))
    moved = replace(problem.jobs[1], slots=(Slot(start_at, start_at + timedelta(hours=2), 10),))
    again = solve(replace(problem, jobs=(problem.jobs[0], moved)))
    assert again.unserved == ()


def test_a_grounded_drone_says_its_defect() -> None:
    problem = problem_of(job(), drones=1)
    defect = Reason("drone.defect", {"drone": "drone-1", "text": "cracked arm"})
    problem = replace(problem, drones=(replace(problem.drones[0], blocks=(defect,)),))
    assert explained(problem).reasons == (defect,)


def test_a_drone_in_maintenance_says_until_when() -> None:
    problem = problem_of(job(), drones=1)
    service = Window(NOW, NOW + timedelta(days=1))
    problem = replace(problem, drones=(replace(problem.drones[0], busy=(service,)),))
    assert codes(explained(problem).reasons) == ["drone.held"]


def test_fairness_falls_when_one_zone_takes_all() -> None:
    problem = problem_of(job(1, organisation_id=1), job(2, organisation_id=2))
    plan = solve(problem)
    assert fairness(problem, plan.assignments) == pytest.approx(1.0)
    assert fairness(problem, plan.assignments[:1]) == pytest.approx(0.5)


def test_no_request_of_any_random_problem_stays_without_an_explanation() -> None:
    for seed in range(50):
        problem = small(seed)
        plan = solve(problem)
        for asked in problem.jobs:
            found = explain(problem, plan, asked.request_id)
            assert found.reasons, f"seed {seed}, request {asked.request_id}"
            for reason in (*found.reasons, *found.changes):
                for lang in LANGUAGES:
                    assert "{" not in sentence(reason, lang)


def test_whatever_fits_beside_a_plan_breaks_no_rule() -> None:
    checked = 0
    for seed in range(12):
        problem = instance(Size(9, 1), seed)
        *most, last = problem.jobs
        plan = solve(replace(problem, jobs=tuple(most)))
        found = fit(problem, plan.assignments, last)
        if found.assigned is not None:
            checked += 1
            together = replace(
                plan,
                assignments=(*plan.assignments, found.assigned),
                unserved=tuple(n for n in plan.unserved if n != last.request_id),
                terms=(),
            )
            assert violations(problem, together) == [], f"seed {seed}"
        else:
            assert found.holds, f"seed {seed}"
    assert checked > 2


def test_every_sentence_exists_in_three_languages_with_the_same_parameters() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for code, texts in TEMPLATES.items():
        assert len(set(texts)) == len(LANGUAGES), code
        assert len({frozenset(fields(text)) for text in texts}) == 1, code
    assert all(len(words) == len(LANGUAGES) for words in WORDS.values())


def test_sentences_speak_local_time_and_words() -> None:
    reason = Reason("if.later", {"start": "2026-05-04T14:00:00+00:00"})
    assert sentence(reason, "en") == "From 04/05 16:00: yes."
    assert sentence(reason, "fr") == "À partir du 04/05 16:00 : oui."
    missing = Reason("no.capability", {"capability": "rgb, thermal"})
    assert sentence(missing, "nl") == (
        "Geen enkele drone biedt dit alles: kleurencamera, warmtebeeldcamera."
    )
    swap = {"request": 3, "priority": "P3", "fairness_before": 0.94, "fairness_after": 0.9}
    assert "0,94 → 0,90" in sentence(Reason("if.displaced", swap), "fr")
    with pytest.raises(InputError, match="de"):
        sentence(reason, "de")


def test_reasons_that_differ_in_the_drone_alone_are_one_sentence() -> None:
    gusts = {"expected": 15.0, "limit": 12.0, "until": "2026-05-16T15:00:00+00:00"}
    told = [
        Reason("weather.wind", {**gusts, "drone": "drone-02"}),
        Reason("window.past"),
        Reason("weather.wind", {**gusts, "drone": "drone-01"}),
        Reason("weather.wind", {**gusts, "limit": 10.7, "drone": "drone-09"}),
    ]
    both, past, other = gathered(told)
    assert sentence(both, "nl") == (
        "Windstoten van 15 m/s verwacht tot 16/05 17:00; grens 12 m/s: drone-01, drone-02."
    )
    assert past == told[1]
    assert "limite 10,7 m/s : drone-09." in sentence(other, "fr")


@pytest.mark.parametrize(
    ("hours", "days", "lang", "said"),
    [
        (0, 10, "fr", "arrive moins d'une heure avant le début ; délai convenu : 10 jours."),
        (1, 1, "nl", "komt 1 u voor de start; afgesproken is 1 dag."),
        (24, 10, "fr", "arrive 1 jour avant le début ; délai convenu : 10 jours."),
        (47, 20, "en", "comes 47 h before its start; 20 days ahead was agreed."),
        (52, 10, "nl", "komt 2 dagen 4 u voor de start; afgesproken is 10 dagen."),
    ],
)
def test_short_notice_is_said_with_nouns_in_their_number(
    hours: int, days: int, lang: str, said: str
) -> None:
    reason = Reason("lead_time.short", {"priority": "P3", "hours": hours, "days": days})
    assert sentence(reason, lang).endswith(said)


def test_many_minutes_are_said_in_hours() -> None:
    late = {minutes: Reason("slot.late", {"minutes": minutes}) for minutes in (5, 119, 120, 898)}
    assert sentence(late[119], "fr") == "L'équipe arrive 119 min après l'objectif."
    assert sentence(late[898], "fr") == "L'équipe arrive 14 h 58 min après l'objectif."
    assert sentence(late[898], "nl") == "De ploeg komt 14 u 58 min na de doeltijd."
    assert sentence(late[120], "en") == "The crew arrives 2 h 00 min after the target."
    assert sentence(late[5], "en") == "The crew arrives 5 min after the target."


def test_a_request_outside_the_plan_is_pending() -> None:
    problem = problem_of(job(), claims=(Claim(1, 1, 1),))
    assert explained(problem, 99).verdict == "pending"
