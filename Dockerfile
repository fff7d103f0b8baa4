# syntax=docker/dockerfile:1
# The time bank in a container. The packages come first, so that a change of ours rebuilds little.
# The second image gets the finished environment only: no compiler, no pip, no source tree.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY requirements/uv.txt requirements/run.txt requirements/
RUN python -m pip install --require-hashes -r requirements/uv.txt \
    && uv venv /opt/timebank \
    && uv pip install --python /opt/timebank --require-hashes --compile-bytecode \
        -r requirements/run.txt
COPY . .
RUN uv build --wheel --no-build-isolation --python "$(command -v python)" --out-dir /wheel \
    && uv pip install --python /opt/timebank --no-deps --compile-bytecode /wheel/*.whl

FROM python:3.13-slim-bookworm
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin timebank \
    && install -d -o timebank -g timebank -m 0700 /data
COPY --from=build /opt/timebank /opt/timebank
ENV PATH=/opt/timebank/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TIMEBANK_DATA=/data \
    TIMEBANK_ENV=production \
    TIMEBANK_HOST=0.0.0.0 \
    TIMEBANK_PORT=8000
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# The host name is given because only the names that people use, and the machine itself, are served.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://localhost:' + os.environ['TIMEBANK_PORT'] + '/health', timeout=4)"]
CMD ["timebank", "serve"]
