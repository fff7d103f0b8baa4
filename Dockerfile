# syntax=docker/dockerfile:1
# The time bank in a container: packages first, so that a change of ours rebuilds the last layer only.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/timebank
WORKDIR /src
COPY requirements/run.txt requirements/
RUN /opt/timebank/bin/pip install --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY ledger ledger
COPY timebank timebank
COPY web web
COPY migrations migrations
RUN /opt/timebank/bin/pip install --no-deps .

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin timebank \
    && install -d -o timebank -g timebank -m 0700 /data
COPY --from=build /opt/timebank /opt/timebank
ENV PATH=/opt/timebank/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TIMEBANK_DATA=/data \
    TIMEBANK_ENV=production \
    TIMEBANK_HOST=0.0.0.0 \
    TIMEBANK_PORT=8000
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8000/health', headers={'Host': 'localhost'}), timeout=4)"]
CMD ["timebank", "serve"]
