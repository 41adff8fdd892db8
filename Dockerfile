# The image that runs drillctl, as somebody who isn't root, with its state in a volume.
#
#   docker build -t drillctl .                     builds the binary inside
#   docker build -t drillctl --target given .      takes the one at BINARY, built outside on the same Debian
#
# PACKAGES are what drills of databases call: add `postgresql` to drill PostgreSQL, `mariadb-server` to drill
# MariaDB, `redis-server` to drill Redis.

ARG BASE=debian:bookworm-slim
ARG BUILDER=rust:1-bookworm

# Everything but the program.
FROM ${BASE} AS host
ARG PACKAGES=ca-certificates
RUN if [ -n "${PACKAGES}" ]; then \
      apt-get update && \
      apt-get install --yes --no-install-recommends ${PACKAGES} && \
      rm -rf /var/lib/apt/lists/*; \
    fi
RUN groupadd --system --gid 990 drillctl && \
    useradd --system --uid 990 --gid 990 --home-dir /var/lib/drillctl --shell /usr/sbin/nologin drillctl && \
    install -d -o drillctl -g drillctl -m 0750 /var/lib/drillctl
ENV DRILLCTL_STATE=/var/lib/drillctl HOME=/var/lib/drillctl
VOLUME /var/lib/drillctl
WORKDIR /drill
USER drillctl
ENTRYPOINT ["/usr/local/bin/drillctl"]
CMD ["--help"]

FROM host AS given
ARG BINARY=target/release/drillctl
COPY ${BINARY} /usr/local/bin/drillctl

FROM ${BUILDER} AS build
WORKDIR /build
COPY . .
RUN cargo build --profile dist --locked --features full --bin drillctl

FROM host
COPY --from=build /build/target/dist/drillctl /usr/local/bin/drillctl
