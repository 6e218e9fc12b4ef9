"""Depth from photo pairs, fused into a cloud with an uncertainty for every point."""
