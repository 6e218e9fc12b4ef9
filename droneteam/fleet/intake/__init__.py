"""Requests from draft to fulfilment, and the calendars that show them."""
