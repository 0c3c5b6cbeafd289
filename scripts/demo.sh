#!/bin/sh
# The demo, with what it needs: containers need an engine, plain processes do not.
set -eu
cd "$(dirname "$0")/.."
what=
for word in "$@"; do
  case $word in docker | --compute=docker) what=containers ;; esac
done
scripts/setup.sh $what
exec bin/immunity demo "$@"
