"""The words of a flight: what a pilot asks for, what came of it, what the controller says."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import lazy_gettext as _l

_Words = Mapping[str, object]

WISHES: _Words = {
    "look_down": _l("Camera down"),
    "look_ahead": _l("Camera ahead"),
    "pause": _l("Pause"),
    "resume": _l("Go on"),
    "brake": _l("Stop now"),
    "rtl": _l("Return home"),
    "land": _l("Land here"),
}
"""In the order of the buttons: the gentlest first, what cannot be taken back last."""

HINTS: _Words = {
    "look_down": _l("turns the camera straight down"),
    "look_ahead": _l("turns the camera to the horizon"),
    "pause": _l("holds its place in the mission"),
    "resume": _l("goes on with the mission"),
    "brake": _l("brakes at once and holds"),
    "rtl": _l("flies to the take-off place and lands"),
    "land": _l("comes down where it is"),
}

OUTCOMES: _Words = {
    "waiting": _l("sent to the controller, waiting"),
    "unheard": _l("the controller is not there: fly by transmitter"),
    "refused": _l("refused by the controller"),
    "failed": _l("the vehicle did not do it"),
    "ordered": _l("taken, the vehicle was told"),
    "overruled": _l("the pilot’s transmitter had taken over"),
}

PHASES: _Words = {
    "listening": _l("listening"),
    "streaming": _l("asking for telemetry"),
    "fencing": _l("sending the fence"),
    "profiling": _l("setting parameters"),
    "uploading": _l("uploading the mission"),
    "readying": _l("getting ready"),
    "arming": _l("arming"),
    "climbing": _l("climbing"),
    "starting": _l("starting the mission"),
    "adopting": _l("taking up a flight"),
    "flying": _l("flying the mission"),
    "paused": _l("paused"),
    "returning": _l("on the way home"),
    "handed over": _l("flown by transmitter"),
    "ended": _l("flight ended"),
}

NOTICES: _Words = {
    "alarm": _l("Alarm"),
    "adopted": _l("Taken up again"),
    "handed over": _l("Flown by transmitter"),
    "separation": _l("Own drones near each other"),
    "returning": _l("On the way home"),
    "link": _l("Link"),
    "ended": _l("Ended"),
}
