# The model comes with the image: a container answers without a network.
FROM python:3.13-slim AS model
COPY config/default-model /fetch
RUN python3 /fetch/fetch.py /models/all-MiniLM-L6-v2

FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libssl-dev zlib1g-dev
WORKDIR /source
# Only when these change are the dependencies fetched again.
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
COPY Sources Sources
# Package.swift names the test targets, so their folders must be there.
COPY Tests Tests
RUN swift build --configuration release --product bert-server --static-swift-stdlib \
  && strip --strip-all --output-file /bert-server .build/release/bert-server

FROM debian:bookworm-slim
# What the statically linked binary still wants of the system. OpenSSL is such a thing on purpose: its
# repairs come with the system's, without a new build.
RUN apt-get update \
  && apt-get install -y --no-install-recommends libssl3 libstdc++6 zlib1g \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /bert-server /usr/local/bin/bert-server
COPY --from=model /models /models
COPY LICENSE /usr/share/doc/bert-server/LICENSE

LABEL org.opencontainers.image.title="bert-server" \
  org.opencontainers.image.description="BERT's output map over HTTP, on CPUs" \
  org.opencontainers.image.licenses="Apache-2.0"

ENV BERT_SERVER_HOST=0.0.0.0 BERT_SERVER_LOG_FORMAT=json
# The default model's path is relative: models/all-MiniLM-L6-v2. Nothing is written, here or
# elsewhere: the root file system may be read-only.
WORKDIR /
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["bert-server", "healthcheck"]
# No shell between the signal and the server.
ENTRYPOINT ["bert-server"]
CMD ["serve"]
