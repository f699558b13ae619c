# syntax=docker/dockerfile:1

# The image of one gateway. docs/federation/TEST-INFRA.md says how it is built, run and checked; tests/build/ runs the
# build stage's commands and boots what they make, where there is no container engine.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /source
COPY . .
RUN npm ci --ignore-scripts --no-audit --no-fund
RUN npm run build:runtime -- /built/runtime
RUN npm run build:image-programs -- /built/programs

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Mosaic gateway" \
      org.opencontainers.image.description="Keeps tasks, notes, memory and credentials for people and their agents" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The gateway needs Node alone. /data is the gateway's; the other two are where a first-boot service mounts the volumes
# it prepares for PostgreSQL and for step-ca, whose user is 1000.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
           /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-* \
 && ln -s /opt/mosaic/app/mosaic.js /usr/local/bin/mosaic \
 && install -d -o 10001 -g 10001 -m 0700 /data \
 && install -d -o 10001 -g 10001 -m 0755 /first-boot/postgresql \
 && install -d -o 1000 -g 1000 -m 0700 /first-boot/step-ca

COPY --from=build /built/runtime /opt/mosaic
COPY --from=build /built/programs /opt/mosaic-image
COPY --chmod=0555 deploy/postgresql/create-roles.sh /opt/mosaic-image/postgresql/create-roles.sh

# The port is said here, where it wins over a configuration file, because the health check asks at it.
ENV NODE_ENV=production \
    HOME=/data \
    XDG_DATA_HOME=/data \
    MOSAIC_HTTP_HOST=0.0.0.0 \
    MOSAIC_HTTP_PORT=14242

USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 14242 14443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["node", "/opt/mosaic-image/health-check.mjs"]
ENTRYPOINT ["node", "/opt/mosaic/app/mosaic.js"]
CMD ["start"]
