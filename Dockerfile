# Hushgate's image: Node, what runs, nothing else; no shell, no user but 65532, nothing that has to be written to but a volume at /data.
# Build: podman build --format docker -t hushgate . (or docker build). Test: npm run test:image

# By digest, so that the same commit is the same image; Renovate renews them, the release workflow refuses a base without one. Each is the
# digest of an index of several architectures. `npm run test:image` builds on bases of its own.
ARG BUILD_IMAGE=docker.io/library/node:24-trixie-slim@sha256:8ec5d7557396cfe32d21c3f9c13072355ceab22b584578ca4bb28af31120cffe
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e

# On the machine that builds, whatever it builds for: nothing of it fits one architecture only.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts: the bundler needs none.
RUN npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier
COPY scripts/build.ts ./scripts/
COPY src ./src
# There is no shell and no env in the image, so the command hushgate is a file for its Node. Modes: whatever they were in the checkout.
RUN node scripts/build.ts --image \
    && printf '#!/nodejs/bin/node\nimport("/app/dist/main.js")\n' > hushgate \
    && chmod 755 hushgate \
    && chmod -R a=rX,u+w dist package.json \
    && mkdir /data

FROM ${RUNTIME_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Hushgate" \
      org.opencontainers.image.description="A Matrix push gateway that an app's own maker hosts: it forgets what it need not know." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# HUSHGATE_IN_CONTAINER: the configuration is /etc/hushgate/hushgate.yaml, or what SYGNAL_CONF names; SQLite outside a volume is refused. The compile cache makes the health check three times as cheap; where /tmp cannot be
# written to, there is none.
# NODE_OPTIONS and MALLOC_ARENA_MAX: as bin/hushgate sets them.
ENV NODE_ENV=production \
    NODE_OPTIONS=--max-semi-space-size=16 \
    MALLOC_ARENA_MAX=1 \
    NODE_COMPILE_CACHE=/tmp/hushgate-compile-cache \
    HUSHGATE_IN_CONTAINER=1
WORKDIR /app
COPY --from=build /app/package.json /app/
COPY --from=build /app/dist /app/dist
COPY --chmod=644 LICENSE /app/
COPY --from=build /app/hushgate /usr/local/bin/
# A new volume takes over its owner.
COPY --from=build --chown=65532:65532 /data /data
# A number: Kubernetes cannot tell that a name is not root.
USER 65532:65532
# Where Sygnal's image starts: relative paths of a sygnal.yaml begin here.
WORKDIR /
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["hushgate", "health"]
ENTRYPOINT ["hushgate"]
CMD ["serve"]
