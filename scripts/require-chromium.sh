#!/bin/sh
# The browser tests run in a real Chromium. Install Debian's package if it is missing and may be installed.
set -eu
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0
fi
echo "Chromium is missing. Install it (Debian: sudo apt-get install chromium; macOS: brew install chromium) and run again." >&2
exit 1
