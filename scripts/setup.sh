#!/bin/sh
# Makes a fresh checkout ready: dependencies (with their own Node 24 on Linux x64), then the build.
# Cheap to repeat: each part is skipped when nothing that it depends on has changed.
#   scripts/setup.sh          what running needs
#   scripts/setup.sh routers  also the routers that ours is compared with, and libfaketime
#   scripts/setup.sh containers  also a container engine (Podman with what it runs on)
#   scripts/setup.sh faults   also what the campaign of faults needs (PostgreSQL, HAProxy, Prometheus, libfaketime, a C
#                             compiler, network tools)
#   scripts/setup.sh tests    also the system packages that tests need (Chromium, Prometheus, PostgreSQL, HAProxy,
#                             nginx, Podman, a registry)
#   scripts/setup.sh docker   also Docker, to run the tests with containers on it (IMMUNITY_OWN_ENGINE=docker)
set -eu
cd "$(dirname "$0")/.."

stamp=node_modules/.immunity-lock
if ! cmp -s package-lock.json "$stamp"; then
  echo "setup: installing dependencies" >&2
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp package-lock.json "$stamp"
fi
PATH=$PWD/node_modules/.bin:$PATH
if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)'; then
  echo "setup: Node 24 or newer is needed; this is $(node --version)." >&2
  exit 1
fi

newer=$(find src web bench scripts/bundle-libraries.ts tsconfig*.json web/live/tsconfig.json package-lock.json -newer dist/.built -type f 2>/dev/null | head -n 1 || true)
if [ ! -f dist/.built ] || [ -n "$newer" ]; then
  npm run --silent build >&2
fi

what=${1:-}
case $what in tests | routers | containers | faults | docker) ;; *) exit 0 ;; esac
missing=
if [ "$what" != containers ] && [ "$what" != docker ]; then
  [ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null 2>&1 || missing="$missing haproxy"
fi
if [ "$what" = tests ] || [ "$what" = routers ]; then
  [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
fi
if [ "$what" = routers ] || [ "$what" = faults ]; then
  ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$missing libfaketime"
fi
if [ "$what" = containers ] || [ "$what" = tests ]; then
  command -v podman >/dev/null 2>&1 || missing="$missing podman"
  # Without systemd on mixed cgroups only runc works; podman only recommends what gives containers a network.
  command -v runc >/dev/null 2>&1 || missing="$missing runc"
  [ -x /usr/lib/podman/netavark ] || missing="$missing netavark aardvark-dns"
  [ -x /usr/sbin/iptables ] || command -v iptables >/dev/null 2>&1 || missing="$missing iptables"
fi
if [ "$what" = tests ] || [ "$what" = faults ]; then
  command -v prometheus >/dev/null 2>&1 || missing="$missing prometheus"
  [ -d /usr/lib/postgresql ] || missing="$missing postgresql"
fi
if [ "$what" = tests ]; then
  command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
  command -v docker-registry >/dev/null 2>&1 || missing="$missing docker-registry"
fi
if [ "$what" = docker ]; then
  [ -x /usr/sbin/dockerd ] || command -v dockerd >/dev/null 2>&1 || missing="$missing docker.io"
  command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
fi
if [ "$what" = faults ]; then
  command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
  command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
  command -v iptables >/dev/null 2>&1 || missing="$missing iptables"
fi
if [ -n "$missing" ]; then
  if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "setup: installing$missing" >&2
    apt-get update -qq >&2
    # RUNLEVEL: what is installed here is started by the tests that need it, and not before.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  else
    echo "setup: NOT FOUND:$missing. The tests that need them will be counted as skipped." >&2
  fi
fi
