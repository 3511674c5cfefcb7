"""HTTP/1.1 as uvicorn reads it, but for its answer to what is no request, and for how a connection ends at a stop."""

from __future__ import annotations

from uuid_utils.compat import uuid7
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.problems import MALFORMED_REQUEST, MEDIA_TYPE
from service.wire.problem import Problem

# How long a connection without a request waits for one when the server ends: one that is on its way then is answered.
_LAST_REQUEST_SECONDS = 0.5


class Protocol(HttpToolsProtocol):
    """A connection; what cannot be read reaches no application, and is answered here."""

    def shutdown(self) -> None:
        """End the connection: after the answer under way, or after the one to a request that is on its way."""
        # there is none before the first request, whatever uvicorn declares
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            # that its connection ends is said with each answer by now (`service.api.stopping`)
            self.loop.call_later(_LAST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem, and close the connection: where the next request would begin is not known."""
        request_id = uuid7().hex
        body = (
            Problem(
                type=MALFORMED_REQUEST.path,
                title=MALFORMED_REQUEST.title,
                status=MALFORMED_REQUEST.status,
                detail=msg,
                instance="",
                request_id=request_id,
            )
            .model_dump_json(exclude_none=True)
            .encode()
        )
        headers = [
            *self.server_state.default_headers,
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + body)
        self.transport.close()
