"""Dateline: an event-timeline service that keeps every date as precisely as it is known."""
