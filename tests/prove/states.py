"""What every history of an event must be: versions without a gap, each state known until the next one is."""

from __future__ import annotations

from typing import Any

import httpx

PAGE_STATES = 200


async def read_states(http: httpx.AsyncClient, event: str) -> list[dict[str, Any]]:
    """Read all states of the event at this URL, newest first, page by page; none where nothing was ever recorded."""
    answer = await http.get(f"{event}/history", params={"limit": PAGE_STATES})
    if answer.status_code == 404:
        return []
    page = answer.raise_for_status().json()
    items: list[dict[str, Any]] = page["items"]
    while page["next"] is not None:
        answer = await http.get(f"{event}/history", params={"limit": PAGE_STATES, "cursor": page["next"]})
        page = answer.raise_for_status().json()
        items += page["items"]
    return items


def check_unbroken(states: list[dict[str, Any]]) -> None:
    """Assert that states, newest first, count down to the first, and that their ranges meet without overlap."""
    assert [state["version"] for state in states] == list(range(len(states), 0, -1))
    ends = [None, *(state["known"]["from"] for state in states)]
    assert [state["known"]["to"] for state in states] == ends[:-1]
    starts = [state["known"]["from"] for state in states]
    assert len(set(starts)) == len(starts), "no state's range is empty"
