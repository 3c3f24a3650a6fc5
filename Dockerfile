# One image for every part of a deployment: SuperLink, SuperNodes, the one-shot services, a Ray cluster.
ARG BASE_IMAGE=python:3.11-slim

# What Hothouse needs, by itself: other changes of pyproject.toml do not install everything anew.
FROM ${BASE_IMAGE} AS needed
COPY pyproject.toml /
RUN python3 -c 'import tomllib; print(*tomllib.load(open("/pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
    > /dependencies.txt

FROM ${BASE_IMAGE} AS packages
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 VIRTUAL_ENV=/opt/venv
COPY constraints.txt /
# uv knows where PyTorch's builds for a backend are; with TORCH_BACKEND empty pip takes the one it finds.
ARG TORCH_BACKEND=cpu
RUN if [ -n "$TORCH_BACKEND" ]; then \
        pip install --constraint /constraints.txt uv \
        && uv pip install --constraint /constraints.txt --torch-backend "$TORCH_BACKEND" torch; \
    else \
        pip install --constraint /constraints.txt torch; \
    fi
COPY --from=needed /dependencies.txt /
# Tests, headers and tools of compilers go: a sixth of it all.
RUN pip install --constraint /constraints.txt --requirement /dependencies.txt \
    && cd /opt/venv/lib/python3*/site-packages \
    && rm -rf torch/test torch/include ray/jars \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find . -type d -name tests -prune -exec rm -rf {} +

# A C compiler, for the compiled trainer; /own is what Hothouse itself adds to the packages.
FROM packages AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
WORKDIR /app
COPY pyproject.toml setup.py README.md ./
COPY common common
COPY server server
COPY clients clients
COPY hothouse hothouse
COPY scenarios scenarios
COPY uses uses
COPY docker docker
RUN pip install --no-deps --editable . \
    && python -m compileall -q . \
    && mkdir /own \
    && cd /opt/venv \
    && cp -r --parents bin/hothouse lib/python3*/site-packages/*hothouse* /own

FROM ${BASE_IMAGE}
RUN useradd --create-home --uid 1000 hothouse
COPY --from=packages /opt/venv /opt/venv
COPY --from=build /own /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    FLWR_DISABLE_UPDATE_CHECK=1 \
    FLWR_TELEMETRY_ENABLED=0 \
    RAY_USAGE_STATS_ENABLED=0
WORKDIR /app
USER hothouse
CMD ["hothouse", "--help"]
