"""The names of what is seen in the sky: alerts, matches, signs and facts, receivers."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

_Words = dict[str, object]

ALERT_KINDS: _Words = {
    "unregistered_flight": _l("Unregistered flight"),
    "outside_registration": _l("Flight outside its registration"),
    "lost_track": _l("Registered flight lost in the air"),
    "geozone_breach": _l("Flight in a restricted zone"),
    "suspected_spoof": _l("Suspected false identity"),
    "conflict": _l("Drones on a collision course"),
    "silent_receiver": _l("Receiver is silent"),
}

MATCHES: _Words = {
    "own": _l("own drone"),
    "registered": _l("registered flight"),
    "operator": _l("registered operator, no flight announced"),
    "unknown": _l("unknown drone"),
    "suspect": _l("suspected false identity"),
    "manned": _l("manned aircraft"),
}

BANDS: _Words = {
    "0": _l("below 30 m"),
    "1": _l("30 to 60 m"),
    "2": _l("60 to 120 m"),
    "3": _l("above 120 m"),
    "4": _l("height not sent"),
    "5": _l("manned aircraft"),
}

KEPT_KINDS: _Words = {
    "broadcast": _l("payloads of broadcasts"),
    "network": _l("payloads of network Remote ID"),
    "operator": _l("operators’ places and registrations"),
    "way": _l("ways and identities of tracks"),
}

RESTRICTIONS: _Words = {
    "prohibited": _l("forbidden"),
    "authorisation": _l("authorisation needed"),
    "conditional": _l("conditions"),
    "none": _l("information"),
}

ADVICE: _Words = {
    "keep": _l("Keep moving away as now"),
    "stop": _l("Stop and hover"),
    "turn_right": _l("Turn right by 90°"),
    "turn_left": _l("Turn left by 90°"),
    "turn_back": _l("Turn back"),
    "go_north": _l("Move north"),
    "go_east": _l("Move east"),
    "go_south": _l("Move south"),
    "go_west": _l("Move west"),
    "watch": _l("No plain manoeuvre helps: look and decide"),
}

MEETINGS: _Words = {
    "meeting_0": _l("as both are flown"),
    "meeting_1": _l("if one of them goes home"),
    "meeting_2": _l("if both go home"),
}
"""Own drones that may come too close: by how many of the two leave their plan for it."""

SIGNS: _Words = {
    "impossible_motion": _l("{jumps} jumps that no aircraft can fly"),
    "constant_signal": _l(
        "{receiver} heard {messages} messages within {spread_db} dB over {path_m} m"
    ),
    "out_of_range": _l("{away_m} m from {receiver}, which hears {range_m} m"),
    "duplicate_serial": _l("serial number {serial} is sent from two places at once"),
    "own_serial_elsewhere": _l("our telemetry puts this serial number elsewhere"),
    "replayed": _l("{repeats} positions sent again long after they held"),
    "counter_back": _l("the message counter ran back {backsteps} times"),
    "many_serials": _l("{serials} serial numbers from one radio"),
    "operator_far": _l("the operator is {away_km} km away"),
    "clock_off": _l("its message times disagree with their reception"),
}
"""What each sign of a false identity rests on, with the names of its numbers."""

EVIDENCE: _Words = {
    "own_serial": _l("serial number of an own drone"),
    "no_telemetry": _l("no own telemetry"),
    "telemetry_old": _l("own telemetry is old"),
    "telemetry_agrees": _l("own telemetry agrees"),
    "telemetry_elsewhere": _l("own telemetry is elsewhere"),
    "identity_registered": _l("identity is registered"),
    "identity_not_registered": _l("identity is not registered"),
    "no_identity": _l("no identity was sent"),
    "operator_registered": _l("its operator is registered, this flight is not"),
    "transponder": _l("aircraft with a transponder"),
    "airborne_when_lost": _l("it was in the air when it was last heard"),
    "no_heartbeat": _l("it has stopped saying that it works"),
    "heights_close": _l("the heights are close"),
    "heights_inside": _l("its height is within the zone"),
    "heights_separated": _l("the heights are apart"),
    "heights_not_comparable": _l("the heights could not be compared"),
    "zone_prohibited": _l("the zone is forbidden"),
    "zone_authorisation": _l("the zone needs an authorisation"),
    "impossible_motion": _l("no aircraft can move like this"),
    "constant_signal": _l("the signal does not change with the distance"),
    "out_of_range": _l("the place is out of the receiver’s range"),
    "duplicate_serial": _l("the serial number is sent from two places"),
    "own_serial_elsewhere": _l("our own drone with this serial is elsewhere"),
    "replayed": _l("old messages are sent again"),
    "many_serials": _l("one radio sends many serial numbers"),
    "operator_far": _l("the operator is very far away"),
    "before_window": _l("before the registered time"),
    "after_window": _l("after the registered time"),
    "outside_volume": _l("outside the registered area"),
    "above_height": _l("above the registered height"),
    "duplicate_identity": _l("the same identity at two places"),
    "clock_off": _l("its clock is wrong"),
}

FACTS: _Words = {
    "since": _l("Since"),
    "score": _l("Probability of a false identity"),
    "conformance": _l("State of the flight"),
    "inside_probability": _l("Inside its area, probability"),
    "contingency_probability": _l("Inside the contingency volume, probability"),
    "buffer_probability": _l("Inside the ground risk buffer, probability"),
    "drone": _l("Own drone"),
    "in_s": _l("Closest in (s)"),
    "distance_m": _l("Closest distance (m)"),
    "probability": _l("Probability"),
    "vertical": _l("Height comparison"),
    "height_frame": _l("Heights above"),
    "zone": _l("Zone"),
    "identifier": _l("Identifier"),
    "authority": _l("Authority"),
    "flight": _l("Flight"),
    "last_heard": _l("Last heard"),
    "receivers": _l("Receivers"),
    "cleared_by": _l("Why it was cleared"),
    "advice": _l("Proposal to the pilot"),
    "advice_distance_m": _l("Closest distance with it (m)"),
    "advice_probability": _l("Probability with it"),
}

FACT_CODES: _Words = {
    "close": _l("close"),
    "inside": _l("within the limits"),
    "separated": _l("apart"),
    "not_comparable": _l("not comparable"),
    "none": _l("no common surface"),
    "ellipsoid": _l("the ellipsoid (WGS84)"),
    "geoid": _l("sea level (geoid)"),
    "pressure": _l("standard pressure"),
    "registered_late": _l("the flight was announced late"),
    "restart of the watch": _l("the watch was started again"),
    "end of the replay": _l("the replay has ended"),
}

CONFORMANCE: _Words = {
    "accepted": _l("accepted, not yet seen"),
    "activated": _l("keeps to its area"),
    "nonconforming": _l("outside its area"),
    "contingent": _l("outside for long or far"),
    "ended": _l("flight ended"),
}

RECEIVER_STATES: _Words = {
    "working": _l("works"),
    "quiet": _l("hears nothing, cannot tell"),
    "failing": _l("does not work"),
    "silent": _l("silent"),
    "stopped": _l("not followed now"),
}

RECEIVER_KINDS: _Words = {
    "wifi": _l("Wi-Fi"),
    "ble": _l("Bluetooth"),
    "capture": _l("sniffer program"),
    "dronescout": _l("DroneScout"),
    "mavlink": _l("MAVLink"),
    "network": _l("network Remote ID"),
    "beast": _l("ADS-B (Beast)"),
    "sbs": _l("ADS-B (SBS)"),
    "telemetry": _l("own telemetry"),
}
