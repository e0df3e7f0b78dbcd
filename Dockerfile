# One image for every part: the command says which. Built on the pinned, hashed requirements.
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/archon
RUN python -m venv /opt/archon
COPY requirements.txt .
RUN /opt/archon/bin/pip install --require-hashes -r requirements.txt

FROM python:3.12-slim-bookworm
# Chromium renders the pages that need their scripts; leave it out and such pages are stored as they come.
ARG CHROMIUM=chromium
RUN apt-get update \
    && apt-get install --yes --no-install-recommends $CHROMIUM \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin archon \
    && install -d -o archon -g archon /var/lib/archon
COPY --from=build /opt/archon /opt/archon
WORKDIR /srv/archon
COPY manage.py ./
COPY docs ./docs
COPY progress ./progress
COPY knowledge ./knowledge
COPY crawler ./crawler
COPY archon ./archon
ENV PATH=/opt/archon/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ARCHON_MODE=server \
    ARCHON_DATA_DIR=/var/lib/archon \
    ARCHON_LOG_FORMAT=json
# By its number: who runs the image can tell that it is not root.
USER 10001
VOLUME /var/lib/archon
EXPOSE 8080
CMD ["python", "-m", "archon.web", "-v", "0", "-e", "tcp:port=8080:interface=0.0.0.0:backlog=4096", "--websocket_timeout", "-1", "--websocket-max-message-size", "65536", "archon.asgi:application"]
