# The server and the command line tool in a small image without models: mount them at /models.
#   docker build -t tidegate .          (--build-arg DEBIAN=trixie for Debian 13)
#   docker run --stop-timeout 330 -p 50051:50051 -p 9464:9464 -v "$PWD/models:/models:ro" -v tidegate-data:/data tidegate
ARG DEBIAN=bookworm

FROM debian:${DEBIAN}-slim AS build
COPY deploy/quickstart/install-packages /tmp/
RUN /tmp/install-packages build
WORKDIR /src
COPY CMakeLists.txt ./
COPY engine engine
COPY proto proto
COPY server server
COPY clients clients
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTIDEGATE_TESTS=OFF -DCMAKE_UNITY_BUILD=ON \
    && cmake --build /build --target tidegate tidegate-server \
    && mkdir -p /image/bin && find /build -type f \( -name tidegate -o -name tidegate-server \) \
         -exec install -s {} /image/bin ';'
# The packages of the libraries that the two executables load: their names differ between Debian releases.
RUN ldd /image/bin/* | sed -n 's|.*=> .*/\([^ ]*\) .*|*/\1|p' | sort -u | xargs dpkg -S | cut -d: -f1 | sort -u \
      > /image/packages && cat /image/packages

FROM debian:${DEBIAN}-slim
COPY --from=build /image/packages /tmp/packages
RUN apt-get update && xargs apt-get install -y --no-install-recommends < /tmp/packages \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /tmp/packages \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin tidegate \
    && install -d -o tidegate -g tidegate /models /data
COPY --from=build /image/bin /usr/local/bin
USER tidegate
VOLUME ["/models", "/data"]
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s CMD ["tidegate-server", "--health", "127.0.0.1:50051"]
ENTRYPOINT ["tidegate-server"]
CMD ["--models", "/models", "--listen", "0.0.0.0:50051", "--metrics-listen", "0.0.0.0:9464", "--data", "/data/streams", "--backups", "/data/backups", "--drain-delay", "5"]
