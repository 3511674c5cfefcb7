# The image of the service: without PostgreSQL, which runs beside it (compose.yaml), and without build tools.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
COPY requirements/ requirements/
# Two environments: what the service runs on, and what builds it, which stays here.
RUN python -m venv /opt/dateline \
    && /opt/dateline/bin/pip install --no-cache-dir --require-hashes --report installed.json -r requirements/run.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt -r requirements/sbom.txt
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/dateline/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
    && /opt/dateline/bin/python -m pip uninstall --yes pip \
    && /opt/build/bin/python -m deploy.sbom /opt/dateline installed.json > /opt/dateline/sbom.cdx.json

FROM ${BASE}
# Nothing is installed into a running container, and nobody becomes another user there.
RUN python -m pip uninstall --yes --root-user-action=ignore pip \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
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
