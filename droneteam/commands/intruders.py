"""What detection knows of aircraft near drones in flight, as the controller passes it on."""

from __future__ import annotations

from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.detection import service as detection
from droneteam.missions.service import Intruder

_FACTS = frozenset({"drone", "distance_m", "in_s", "probability"})
"""What is told of a conflict; an alert of another release that lacks one is left to the map."""


def intruders_near(session: Session) -> list[Intruder]:
    """Open conflicts of the live watch, each with the manoeuvre that detection proposes."""
    alerts = detection.list_alerts(session, SYSTEM, open_only=True)
    return [
        intruder_of(alert)
        for alert in alerts
        if alert.kind == "conflict" and alert.origin == "live" and alert.facts.keys() >= _FACTS
    ]


def intruder_of(alert: detection.AlertView) -> Intruder:
    """A conflict as a line for the pilot."""
    facts = alert.facts
    who = alert.uas_id or f"track {alert.track_id}"
    proposal = str(facts.get("advice", "watch"))
    text = (
        f"{who} may come within {facts['distance_m']:.0f} m of {facts['drone']} in "
        f"{facts['in_s']:.0f} s (probability {facts['probability']:.2f}); "
        f"proposed: {proposal.replace('_', ' ')}; the pilot decides"
    )
    return Intruder(str(facts["drone"]), who, proposal, text)
