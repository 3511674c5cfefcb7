"""OpenTelemetry, where it is configured: a collector gets spans that go on with the client's trace, and the log's."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.keys import ADMIN, bearer
from tests.live import asking
from tests.live.service import ONE_AND_TWO, read_log, running, tracebacks

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Collector:
    """What was sent to a collector, by path."""

    def __init__(self, url: str, received: list[tuple[str, bytes]]) -> None:
        self.url = url
        self.received = received

    def spans(self) -> list[Span]:
        sent = [ExportTraceServiceRequest.FromString(body) for path, body in self.received if path == "/v1/traces"]
        return [span for one in sent for of in one.resource_spans for scope in of.scope_spans for span in scope.spans]

    def figures(self) -> set[str]:
        sent = [ExportMetricsServiceRequest.FromString(body) for path, body in self.received if path == "/v1/metrics"]
        return {
            metric.name
            for one in sent
            for of in one.resource_metrics
            for scope in of.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def collecting() -> Iterator[Collector]:
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            self.connection.settimeout(10)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, gzip.decompress(body) if "Content-Encoding" in self.headers else body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Collector(f"http://127.0.0.1:{server.server_port}", received)
        server.shutdown()


@pytest.mark.parametrize("workers", ONE_AND_TWO)
def test_a_collector_gets_what_the_log_says(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        with running(tmp_path, database_url=database_url, workers=workers) as service:
            answer = asking.get(
                f"{service.base}/v1/timelines/syria-2013",
                headers={"traceparent": f"00-{TRACE}-{PARENT}-01", **bearer(ADMIN)},
            )
            assert answer.status_code == 200
            deadline = time.monotonic() + 60
            while not (found := [one for one in collector.spans() if one.trace_id.hex() == TRACE]):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        (span,) = found
        assert span.parent_span_id.hex() == PARENT
        assert span.name == "GET /v1/timelines/{slug}"
        (line,) = [one for one in read_log(tmp_path) if one.get("route") == "/v1/timelines/{slug}"]
        assert (line["trace_id"], line["span_id"], line["parent_id"]) == (TRACE, span.span_id.hex(), PARENT)
        assert "http.server.request.duration" in collector.figures(), "sent at the end, at the latest"
        assert not any(ADMIN.encode() in body for _, body in collector.received)
    assert tracebacks(tmp_path) == []


def test_a_collector_that_is_not_there_disturbs_nothing(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with running(tmp_path, database_url=database_url) as service:
        for _ in range(5):
            assert asking.get(f"{service.base}/v1/timelines").status_code == 200
        began = time.monotonic()
        service.process.terminate()
        assert service.process.wait(60) == 0
        assert time.monotonic() - began < 40
