"""What the audit chain's actions mean, in words; a page shows the code beside them."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from droneteam.web.i18n import language
from droneteam.web.typography import colon
from droneteam.web.words import REQUEST_STATES

ACTIONS: dict[str, object] = {
    "airspace.set": _l("airspace approval noted"),
    "alert.acknowledge": _l("alert acknowledged"),
    "alert.escalate": _l("alert escalated: nobody acknowledged it"),
    "backup.make": _l("backup made"),
    "battery.measure": _l("battery measured"),
    "battery.retire": _l("battery retired"),
    "calendar.end": _l("calendar's address closed"),
    "calendar.make": _l("calendar's address made"),
    "detection.erase": _l("data of the sky erased"),
    "detection.keep": _l("data of the sky taken into a case"),
    "detection.retention": _l("retention of the sky's data set"),
    "drone.ground": _l("drone grounded by a defect"),
    "drone.release": _l("drone released by a second person"),
    "drone.service": _l("drone serviced"),
    "entitlement.lend": _l("hours lent to another zone"),
    "escalation.see": _l("escalation seen"),
    "evidence.verify": _l("sealed bag verified"),
    "field.log": _l("crew's entry in the field"),
    "flight.log": _l("flight written into the logbook"),
    "flight.register": _l("flight registered"),
    "geozones.load": _l("geographical zones loaded"),
    "geozones.withdraw": _l("geographical zone withdrawn"),
    "mission.approve": _l("mission approved"),
    "mission.ask": _l("command asked of a flight"),
    "mission.cancel": _l("mission cancelled"),
    "mission.fly": _l("take-off"),
    "mission.log": _l("mission's log kept"),
    "mission.override": _l("mission approved in spite of a warning"),
    "mission.plan": _l("mission planned"),
    "mission.sign": _l("mission signed by its pilot"),
    "model.limits": _l("weather limits of a drone model changed"),
    "notice.see": _l("notice seen"),
    "operator.look": _l("operator's place looked at"),
    "organisation.add": _l("organisation added"),
    "organisation.rename": _l("organisation renamed"),
    "payload.mount": _l("payload mounted or taken off"),
    "pilot.absence": _l("absence entered"),
    "pilot.absence_end": _l("absence ended"),
    "pilot.credential": _l("licence entered"),
    "pilot.credential_end": _l("licence ended"),
    "pilot.user": _l("account tied to a pilot"),
    "places.load": _l("addresses loaded"),
    "plan.book": _l("drone booked beside the plan"),
    "plan.discard": _l("draft put aside"),
    "plan.override": _l("plan published as an override"),
    "plan.publish": _l("plan published"),
    "plan.solve": _l("plan computed"),
    "plan.suppose": _l("plan computed under a supposition"),
    "registry.import": _l("registry imported"),
    "registry.notice": _l("registry told of what ends soon"),
    "request.attach": _l("file attached to a request"),
    "request.changed": _l("drone, crew or time of a request changed"),
    "request.clock_stop": _l("clock stopped on evidence"),
    "request.escalate": _l("clock escalated"),
    "scene.bind": _l("scene tied to a mission"),
    "scene.build": _l("building of a scene asked for"),
    "scene.built": _l("scene built"),
    "scene.control": _l("control points of a scene changed"),
    "scene.create": _l("scene made"),
    "scene.look": _l("scene looked at"),
    "scene.mark": _l("point marked in a photo"),
    "scene.measure": _l("measurement kept"),
    "scene.photo": _l("photo received"),
    "scene.take": _l("scene's file taken away"),
    "scene.unmark": _l("mark taken away"),
    "signin.proven": _l("confirmed who it is, while signed in"),
    "signin.end": _l("session ended"),
    "signin.end_sessions": _l("all sessions of a person ended"),
    "signin.key_needed": _l("password right, second factor asked"),
    "signin.locked": _l("sign-in refused: account locked"),
    "signin.passkey_refused": _l("passkey refused"),
    "signin.program": _l("token made for a program"),
    "signin.welcome": _l("signed in"),
    "signin.wrong": _l("sign-in refused: wrong password"),
    "sla.add": _l("agreement: version added"),
    "sla.edit": _l("agreement: unused version replaced"),
    "sortie.log": _l("sortie's log kept"),
    "sortie.record": _l("sortie recorded"),
    "speed.set": _l("travel times changed"),
    "terrain.add": _l("terrain added"),
    "user.add": _l("person added"),
    "user.close": _l("account closed"),
    "user.open": _l("account opened again"),
    "user.passkey_added": _l("passkey added"),
    "user.passkey_removed": _l("passkey removed"),
    "user.passkey_renamed": _l("passkey renamed"),
    "user.password": _l("password set by an administrator"),
    "user.roles": _l("roles changed"),
    "user.second_factor_added": _l("second factor added"),
    "user.second_factor_removed": _l("second factor taken away"),
    "weather.add": _l("forecast entered"),
    "webhook.add": _l("webhook added"),
    "webhook.end": _l("webhook ended"),
    "webhook.resume": _l("webhook tried again"),
    "webhook.test": _l("test of a webhook asked for"),
}


def action_name(code: str) -> str:
    """What the action means; an unknown one is shown as it is."""
    known = ACTIONS.get(code)
    if known is not None:
        return str(known)
    kind, _dot, step = code.partition(".")
    if kind == "request" and step in REQUEST_STATES:
        return f"{_REQUEST}{colon(language())} {REQUEST_STATES[step]}"
    if kind == "evidence" and step in _CUSTODY:
        return f"{_EVIDENCE}{colon(language())} {_CUSTODY[step]}"
    return code


_CUSTODY: dict[str, object] = {
    "open": _l("opened"),
    "add": _l("added"),
    "look": _l("looked at"),
    "read": _l("looked at"),
    "export": _l("exported"),
    "take": _l("sealed bag taken"),
    "retain": _l("retention set"),
    "erase": _l("erased"),
}
_REQUEST = _l("request")
_EVIDENCE = _l("file of a case")
