#!/bin/sh
# The JavaScript client and the Flex plugin are checked and tested with Node.js and npm. Install Debian's packages if
# they are missing and may be installed.
set -eu
OLDEST=20
is_there() {
    command -v node >/dev/null && command -v npm >/dev/null &&
        [ "$(node --print 'process.versions.node.split(".")[0]')" -ge "$OLDEST" ]
}
is_there && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nodejs npm >/dev/null
    is_there && exit 0
fi
echo "Node.js $OLDEST or later with npm is missing. Install it (Debian 13, Ubuntu 25.04: sudo apt-get install nodejs npm; macOS: brew install node) and run again." >&2
exit 1
