"""One flight: its states, checks and failsafes, and the loop that flies many."""
