# Airflow with this project, for docker-compose.yaml and deploy/helm-values.yaml: exactly the locked versions, on a
# bare Python. No service runs as root.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# To use a mirror: docker compose build --build-arg UV_DEFAULT_INDEX=...
ARG UV_DEFAULT_INDEX
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential default-libmysqlclient-dev pkg-config
RUN pip install --no-cache-dir --root-user-action ignore ${UV_DEFAULT_INDEX:+--index-url "$UV_DEFAULT_INDEX"} uv==0.13.9 \
 && uv venv --quiet /opt/venv
ENV VIRTUAL_ENV=/opt/venv UV_LINK_MODE=copy
COPY requirements.txt requirements-image.txt /tmp/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --quiet --compile-bytecode --require-hashes -r /tmp/requirements.txt -r /tmp/requirements-image.txt
# Editable, as everywhere: SQL and codes are beside the package, in include/.
COPY pyproject.toml /opt/xiaoe/
COPY plugins /opt/xiaoe/plugins
COPY include /opt/xiaoe/include
COPY dags /opt/xiaoe/dags
COPY deploy /opt/xiaoe/deploy
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --quiet --no-deps -e /opt/xiaoe \
 && /opt/venv/bin/python -m compileall -q /opt/xiaoe

FROM ${PYTHON_IMAGE}
# libmariadb3 is loaded by mysqlclient. The byte code of the standard library saves each container a minute at its start.
# /entrypoint exists for the probes of Airflow's Helm chart.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libmariadb3 \
 && rm -rf /var/lib/apt/lists/* \
 && python -m compileall -q /usr/local/lib/python3.12 \
 && useradd --uid 50000 --gid 0 --no-create-home --home-dir /opt/airflow airflow \
 && printf '#!/bin/sh\nexec "$@"\n' >/entrypoint && chmod 755 /entrypoint \
 && install -d -o airflow -g 0 -m 0770 /opt/airflow /opt/airflow/auth /opt/airflow/logs \
      /opt/airflow/xiaoe_backups /opt/airflow/xiaoe_exports /opt/airflow/xiaoe_pages
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/xiaoe /opt/xiaoe
ENV PATH=/opt/venv/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/xiaoe/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    XIAOE_PAGE_STORE=file:///opt/airflow/xiaoe_pages \
    XIAOE_EXPORT_DIR=file:///opt/airflow/xiaoe_exports \
    XIAOE_BACKUP_STORE=file:///opt/airflow/xiaoe_backups
WORKDIR /opt/airflow
USER 50000:0
CMD ["airflow", "version"]
