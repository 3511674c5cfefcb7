# The image of the service: without PostgreSQL, which runs beside it (compose.yaml), and without build tools.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
COPY requirements/ requirements/
# Two environments: what the service runs on, and what builds it, which stays here.
RUN python -m venv /opt/dateline \
    && /opt/dateline/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/dateline/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
    && /opt/dateline/bin/python -m pip uninstall --yes pip

FROM ${BASE}
# Nothing is installed into a running container.
RUN python -m pip uninstall --yes --root-user-action=ignore pip
COPY --from=build /opt/dateline /opt/dateline
ENV PATH=/opt/dateline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DATELINE_HOST=0.0.0.0 \
    DATELINE_PORT=8000
WORKDIR /opt/dateline
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-I", "-c", "import http.client, os, sys; answer = http.client.HTTPConnection('127.0.0.1', int(os.environ['DATELINE_PORT']), timeout=4); answer.request('GET', '/health/ready'); sys.exit(answer.getresponse().status != 200)"]
CMD ["dateline", "serve"]
