#!/bin/sh
# autogen.sh - makes ./configure and what it needs; run it once in a fresh clone
set -e
cd "$(dirname "$0")"
mkdir -p build-aux
exec autoreconf --install --force "$@"
