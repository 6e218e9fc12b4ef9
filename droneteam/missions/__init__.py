"""Mission planning, flight over MAVLink, supervision and the flight record."""
