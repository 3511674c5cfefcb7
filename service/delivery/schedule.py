"""When a delivery that failed is tried again: ten tries over about three days, each wait longer than the last."""

from __future__ import annotations

import random

# What is waited after the first try, the second, and so on: 75.6 hours in all (Standard Webhooks 1.0, its example).
RETRY_DELAYS_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
MOST_TRIES = len(RETRY_DELAYS_SECONDS) + 1
# How far a wait strays from its value, so that what failed together does not come back together. The longest waits
# grow by a fifth: with less than a tenth either way each still is longer than the one before.
JITTER = 0.08


def retry_delay_seconds(tries: int, *, asked_seconds: float | None = None) -> float | None:
    """Say how long to wait after so many tries; None when there will be no other.

    A receiver may ask for more (`Retry-After`), up to the longest wait.
    """
    if tries >= MOST_TRIES:
        return None
    stray = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # spreads load, guards nothing
    delay = RETRY_DELAYS_SECONDS[tries - 1] * stray
    asked = min(asked_seconds or 0.0, float(RETRY_DELAYS_SECONDS[-1]))
    return max(delay, asked)
