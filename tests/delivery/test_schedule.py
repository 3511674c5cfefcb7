from __future__ import annotations

from itertools import pairwise

from service.delivery.schedule import JITTER, MOST_TRIES, RETRY_DELAYS_SECONDS, retry_delay_seconds

DAY_SECONDS = 86_400


def test_ten_tries_over_about_three_days() -> None:
    assert MOST_TRIES == 10
    assert 3 * DAY_SECONDS <= sum(RETRY_DELAYS_SECONDS) <= 3.5 * DAY_SECONDS
    assert retry_delay_seconds(MOST_TRIES) is None
    assert retry_delay_seconds(MOST_TRIES + 1) is None


def test_each_wait_is_longer_than_the_one_before_however_it_strays() -> None:
    assert all(a * (1 + JITTER) < b * (1 - JITTER) for a, b in pairwise(RETRY_DELAYS_SECONDS))


def test_waits_stray_so_that_what_failed_together_does_not_come_back_together() -> None:
    for tries, delay in enumerate(RETRY_DELAYS_SECONDS, start=1):
        waits = {retry_delay_seconds(tries) or 0 for _ in range(50)}
        assert len(waits) > 40
        assert all(delay * (1 - JITTER) <= wait <= delay * (1 + JITTER) for wait in waits)


def test_a_receiver_may_ask_for_more_but_not_for_ever_and_not_for_less() -> None:
    assert retry_delay_seconds(1, asked_seconds=600) == 600
    assert retry_delay_seconds(1, asked_seconds=1e9) == RETRY_DELAYS_SECONDS[-1]
    assert (retry_delay_seconds(3, asked_seconds=0) or 0) >= RETRY_DELAYS_SECONDS[2] * (1 - JITTER)
