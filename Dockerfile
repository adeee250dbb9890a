# xbar in an image: docker build -t xbar . && docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" xbar doctor
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY spice_netlists spice_netlists
COPY experiments experiments
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libngspice0 \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /tmp/requirements.lock
COPY --from=build /wheels /wheels
RUN for wheel in /wheels/*.whl; do \
        pip install --no-cache-dir --constraint /tmp/requirements.lock "$wheel[onnx,search,tensorboard,mlflow,interactive]"; \
    done \
    && rm -rf /wheels /tmp/requirements.lock \
    && mkdir -m 1777 /var/cache/xbar
# What may be made again (tables, compiled programs), for whoever the container runs as: a volume here keeps it.
ENV XBAR_CACHE_DIR=/var/cache/xbar MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
ENTRYPOINT ["xbar"]
CMD ["--help"]
