#!/usr/bin/env bash
# Installs the Debian packages that tests want and that no wheel brings: Java and Maven for a real Kafka, a browser, and
# what the files in docker/ are checked with: Prometheus, its Alertmanager, nginx and go (for pprof). None is left running.
# Only what is missing, and only as root; run by .ci/run.
set -euo pipefail

missing=()
command -v java >/dev/null || missing+=(default-jre-headless)
command -v mvn >/dev/null || missing+=(maven)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
command -v promtool >/dev/null || missing+=(prometheus)
command -v amtool >/dev/null || missing+=(prometheus-alertmanager)
command -v nginx >/dev/null || missing+=(nginx-light)
command -v go >/dev/null || missing+=(golang-go)

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]} (install them, or run this as root on Debian)" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
export RUNLEVEL=1 # packages that bring a service do not start it
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
