"""Where a text says that something is: addresses, crossings, place names and coordinates."""
