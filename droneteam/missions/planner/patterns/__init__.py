"""Flight patterns over a site: pure geometry in metres, east and north of one origin."""
