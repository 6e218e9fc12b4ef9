"""Drone detection: Remote ID, tracks, matches and alerts."""
