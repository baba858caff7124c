# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/penstock
# The dependencies first: they change less often than the program.
COPY requirements/deploy.txt /build/requirements/deploy.txt
RUN /opt/penstock/bin/python -m pip install --require-hashes -r /build/requirements/deploy.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md /build/
COPY src /build/src
RUN /opt/penstock/bin/python -m pip install --no-deps --no-build-isolation /build


FROM python:3.11-slim

COPY --from=build /opt/penstock /opt/penstock
# A number, so that an orchestrator can see that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin penstock && install -d -o 10001 -g 10001 /data
ENV PATH=/opt/penstock/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PENSTOCK_HOST=0.0.0.0 \
    PENSTOCK_PORT=8000 \
    PENSTOCK_DATABASE_URL=sqlite:////data/penstock.db
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PENSTOCK_PORT']}/livez\", timeout=4)"]
ENTRYPOINT ["penstock"]
CMD ["serve"]
