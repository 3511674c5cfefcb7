"""Measure the service: `make bench` runs it all, `python -m bench.indexes` what the indexes cost and save."""
