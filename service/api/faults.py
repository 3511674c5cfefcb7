"""What nobody foresaw, as problem details: pure ASGI, inside of what adds headers and counts, so that both see it."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import INTERNAL, MALFORMED_BODY, problem

logger = logging.getLogger("dateline.problems")


class Faults:
    """Answer a fault of ours with a 500 that says nothing of our insides, and log where it happened."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. A fault in the midst of an answer is raised: the server then cuts the connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except ClientDisconnect:
            # nobody reads this answer: it says, in the log and the figures, whose doing it was
            logger.info("request %s was left by its client", scope["state"]["request_id"])
            if not has_begun:
                left = problem(Request(scope), MALFORMED_BODY, "the client left before it had sent the whole body")
                await left(scope, receive, send)
        except Exception as error:
            if has_begun:
                raise
            request = Request(scope)
            logger.exception("request %s failed: %s", scope["state"]["request_id"], type(error).__name__)
            await problem(request, INTERNAL, INTERNAL.explanation)(scope, receive, send)
