"""The service level agreement as versioned data: clocks, hours, shares, escalations."""
