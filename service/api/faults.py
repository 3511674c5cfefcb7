"""What nobody foresaw, as problem details: pure ASGI, inside of what adds headers and counts, so that both see it."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from service.api.layer import Layer, answer_of
from service.api.problems import INTERNAL, MALFORMED_BODY, problem

logger = logging.getLogger("dateline.problems")


class Faults(Layer):
    """Answer a fault of ours with a 500 that says nothing of our insides, and log where it happened."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. A fault in the midst of an answer is raised: the server then cuts the connection."""
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            # nobody reads this answer: it says, in the log and the figures, whose doing it was
            logger.info("request %s was left by its client", scope["state"]["request_id"])
            if not answer_of(scope).has_begun:
                left = problem(Request(scope), MALFORMED_BODY, "the client left before it had sent the whole body")
                await left(scope, receive, send)
        except Exception as error:
            if answer_of(scope).has_begun:
                raise
            request = Request(scope)
            logger.exception("request %s failed: %s", scope["state"]["request_id"], type(error).__name__)
            await problem(request, INTERNAL, INTERNAL.explanation)(scope, receive, send)
