"""Proofs by many runs: short in `make test-live`, long in `make prove`."""

from __future__ import annotations

import os

# Whether there is time for the long forms.
IS_LONG = os.environ.get("DATELINE_PROVE") == "long"
