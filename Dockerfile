# Syncline alone: one binary, the libraries it is linked with, the certificates it trusts. Nothing else is in the
# image, no shell either, and it runs as a user without rights on a file system that may be read-only.

FROM node:22-bookworm-slim AS pages
WORKDIR /src/dashboard
COPY dashboard/package.json dashboard/package-lock.json ./
RUN npm ci --silent
COPY dashboard ./
RUN npm run --silent build

FROM rust:1.95.0-slim-bookworm AS build
# A pinned version of a Debian package is gone from the mirror within months.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends gcc libc6-dev ca-certificates binutils \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
COPY --from=pages /src/dashboard/dist dashboard/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package cli && deploy/image-root target/release/syncline /root-of-image

FROM scratch
COPY --from=build /root-of-image /
USER 65532:65532
# Beyond loopback an operator key is required: without SYNCLINE_OPERATOR_KEY the API refuses to start.
ENV SYNCLINE_LISTEN=0.0.0.0:8000 SYNCLINE_DATA_DIR=/data SYNCLINE_LOG_FORMAT=json
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=5 CMD ["/syncline", "doctor", "--ready"]
ENTRYPOINT ["/syncline"]
CMD ["serve"]
