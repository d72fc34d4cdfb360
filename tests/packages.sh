#!/bin/bash
# Installs what is missing of Debian's packages. Usage: packages.sh run|check
# `run`: what the bus and its worked example need; `check`: what the tests need beside.
set -euo pipefail

# XYLEM PACKAGES
run="build-essential meson ninja-build pkg-config python3
libjansson-dev libsqlite3-dev libyaml-dev libexpat1-dev libssl-dev libcurl4-openssl-dev
libmicrohttpd-dev libpcre2-dev librdkafka-dev libpq-dev libstrophe-dev
prosody postgresql kcat python3-slixmpp jq curl ca-certificates git"
check="clang-format-14 clang-14 libclang-rt-14-dev libcmocka-dev libjq-dev libonig-dev ejabberd strace iproute2
sqlite3 util-linux procps openjdk-17-jre-headless maven wrk nginx-light gojq valgrind python3-yaml python3-jsonschema python3-aioxmpp python3-nbxmpp"

# A client in a terminal, which the tests drive.
check="$check profanity tmux"
# Node may also come from its makers, with npm in it.
command -v node >/dev/null || check="$check nodejs"
command -v npm >/dev/null || check="$check npm"

# Node may also come from its makers, with npm in it.
command -v node >/dev/null || check="$check nodejs"
command -v npm >/dev/null || check="$check npm"
check="$check chromium chromium-driver" # a browser that follows a topic

wanted=$run
[ "${1:-run}" = check ] && wanted="$run $check"

missing=""
for package in $wanted; do
	if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
		missing="$missing $package"
	fi
done
[ -z "$missing" ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
	command -v sudo >/dev/null || { echo "run as root, or install sudo, to install:$missing" >&2; exit 1; }
fi
echo "installing:$missing"
# The packages' own servers are not wanted: the project starts private ones. A policy that lives
# only as long as the installation keeps them from being started.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
	made=yes
fi
trap '[ -z "$made" ] || $as_root rm -f '$policy EXIT
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >/dev/null
# PostgreSQL makes a cluster at installation unless told not to; nobody needs it here.
$as_root mkdir -p /etc/postgresql-common
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
	echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing >/tmp/xylem-packages.$$.log 2>&1 || {
	tail -20 /tmp/xylem-packages.$$.log >&2
	echo "the packages could not be installed; the log is /tmp/xylem-packages.$$.log" >&2
	exit 1
}
rm -f /tmp/xylem-packages.$$.log
