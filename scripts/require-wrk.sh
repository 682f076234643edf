#!/bin/sh
# The benchmark of the voice webhook drives it with wrk. Install Debian's package if it is missing and may be installed.
set -eu
command -v wrk >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq wrk >/dev/null && exit 0
fi
echo "wrk is missing. Install it (Debian, Ubuntu: sudo apt-get install wrk; macOS: brew install wrk) and run again." >&2
exit 1
