"""Drones, batteries, payloads and pilots: their records, readiness and upkeep."""
