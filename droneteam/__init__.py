"""The operations system of a police drone team."""
