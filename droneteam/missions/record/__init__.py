"""What was flown, read back from journals, telemetry and on-board logs."""
