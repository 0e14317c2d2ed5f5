# Targets: the last one brings the default model along; `server` is the same without a model and
# serves a folder mounted below /models. Both are built for the builder's architecture
# (--platform linux/amd64 or linux/arm64).
ARG SWIFT_IMAGE=swift:6.3-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${SWIFT_IMAGE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends libssl-dev zlib1g-dev
WORKDIR /source
# The dependencies alone, below an empty server: again only when Package.swift changes. That names
# the tests too, and wants a file of each.
COPY Package.swift Package.resolve[d] ./
RUN mkdir -p Sources/bert-server && touch Sources/bert-server/main.swift \
  && products=$(grep -o '\.product([^)]*)' Package.swift | sort -u | paste -sd,) \
  && empty=".executableTarget(name: \"bert-server\", dependencies: [$products])" \
  && cp Package.swift /whole.swift \
  && sed -i -e '/\.library(/d' -e "/^  targets: \\[/,/^  \\],/c\\  targets: [$empty]," Package.swift \
  && swift build --configuration release --product bert-server --static-swift-stdlib \
  && mv /whole.swift Package.swift && rm -r Sources \
  && for test in TestSupport $(grep -A1 '\.testTarget(' Package.swift | grep -oP 'name: "\K\w+'); \
  do mkdir -p "Tests/$test" && touch "Tests/$test/Empty.swift"; done
COPY Sources Sources
# One time for all files, and without the hashes that no two builds share: the same sources make the
# same layer.
RUN swift build --configuration release --product bert-server --static-swift-stdlib \
  && mkdir -p /layer/usr/bin \
  && strip --strip-all --remove-section=.swift_modhash --remove-section=.note.gnu.build-id \
    -o /layer/usr/bin/bert-server .build/release/bert-server \
  && find /layer -exec touch --date=@0 {} +

# What the binary still wants of the system, and who it is from: scanners read dpkg's records.
# OpenSSL is such a thing on purpose: its repairs come with Debian's, without a new build.
FROM ${DEBIAN_IMAGE} AS libraries
RUN apt-get update && apt-get install -y --no-install-recommends \
  ca-certificates libssl3 libstdc++6 zlib1g
COPY --from=build /layer/usr/bin/bert-server /bert-server
COPY LICENSE /root-folder/usr/share/doc/bert-server/LICENSE
RUN set -eu; mkdir -p /root-folder/etc/ssl/certs /root-folder/var/lib/dpkg/status.d; \
  for library in $(ldd /bert-server | grep -o '/[^ ]*' | sort -u); do \
    cp --dereference --parents "$library" /root-folder; \
    package=$(dpkg-query --search "*/$(basename "$library")" | cut -d: -f1 | sort -u); \
    dpkg-query --status "$package" > "/root-folder/var/lib/dpkg/status.d/$package"; \
    cp --dereference --parents "/usr/share/doc/$package/copyright" /root-folder; \
  done; \
  cp /etc/ssl/certs/ca-certificates.crt /root-folder/etc/ssl/certs; \
  dpkg-query --status ca-certificates > /root-folder/var/lib/dpkg/status.d/ca-certificates; \
  cp --parents /usr/share/doc/ca-certificates/copyright /root-folder; \
  echo 'nonroot:x:65532:65532:nonroot:/:/nowhere' > /root-folder/etc/passwd; \
  echo 'nonroot:x:65532:' > /root-folder/etc/group; \
  cp --dereference /etc/os-release /root-folder/etc; \
  find /root-folder -exec touch --date=@0 {} +

# No shell, no package manager. The server calls nobody, but `encode --server` may.
FROM scratch AS server
COPY --from=libraries /root-folder /
COPY --from=build /layer /
ARG REVISION=unknown
LABEL org.opencontainers.image.title="bert-server" \
  org.opencontainers.image.description="BERT's output map over HTTP, on CPUs" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.revision="${REVISION}"
ENV PATH=/usr/bin BERT_SERVER_HOST=0.0.0.0 BERT_SERVER_LOG_FORMAT=json \
  SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# The default model's path is relative: models/all-MiniLM-L6-v2. Nothing is written, here or
# elsewhere: the root file system may be read-only.
WORKDIR /
# A number, so that Kubernetes can see that it is not root; any other will do.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["bert-server", "healthcheck"]
# No shell between the signal and the server.
ENTRYPOINT ["bert-server"]
CMD ["serve"]

# The model comes with the image: a container answers without a network.
FROM ${PYTHON_IMAGE} AS model
COPY config/default-model /fetch
RUN python3 /fetch/fetch.py /models/all-MiniLM-L6-v2 \
  && chmod -R a+rX /models && find /models -exec touch --date=@0 {} +

FROM server
COPY --from=model /models /models
