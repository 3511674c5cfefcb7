"""The least that an application of the same framework takes for an answer: a document that it holds, and no database.

What is compared with it is asked for like an event, below a timeline and by a UUID.
"""

from __future__ import annotations

import os
from uuid import UUID

from fastapi import FastAPI, Response

_DOCUMENT = os.environ["CONSTANT_DOCUMENT"].encode()

app = FastAPI()


@app.get("/v1/timelines/{timeline}/events/{event}")
async def get_event(timeline: str, event: UUID) -> Response:
    """Answer with the document, whatever is asked for."""
    del timeline, event
    return Response(_DOCUMENT, media_type="application/json")
