#!/bin/sh
# Tests of clocks run processes under libfaketime. Install Debian's package if it is missing and may be installed.
set -eu
ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq faketime >/dev/null && exit 0
fi
echo "libfaketime is missing. Install it (Debian, Ubuntu: sudo apt-get install faketime) and run again." >&2
exit 1
