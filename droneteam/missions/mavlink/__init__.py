"""The handshakes of MAVLink as state machines, and the one door to the wire."""
