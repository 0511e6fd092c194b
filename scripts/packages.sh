#!/bin/sh
# packages.sh PACKAGE...: install the Debian packages that are not there yet. Where all
# are, it touches neither apt nor the network.
set -eu

command -v dpkg-query >/dev/null || {
	echo "packages.sh: this is not a Debian system; install what these packages hold by hand: $*" >&2
	exit 1
}

missing=
for package; do
	dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "packages.sh: as root, run: apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086 # a list of words
apt-get -q install -y --no-install-recommends $missing
