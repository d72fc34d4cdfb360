#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Is what is installed enough to build a connector against? Installs the project into a folder of its
# own, copies examples/connector out of the tree, builds it there with nothing but the installed headers and
# xylem.pc, and takes it through the contract suite.
#
#     out_of_tree.sh SOURCE BUILD CONTRACT_SUITE
set -eu
source=$1 build=$2 suite=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/xylem-out-of-tree-XXXXXX")
trap 'rm -rf "$work"' EXIT

log() { "$@" >"$work/log" 2>&1 || { sed 's/^/# /' "$work/log"; echo "not ok 1 - $*"; exit 1; }; }

log meson install -C "$build" --no-rebuild --destdir "$work/root"
pc=$(find "$work/root" -name xylem.pc)
[ -n "$pc" ] || { echo "not ok 1 - xylem.pc is not installed"; exit 1; }
cp -r "$source/examples/connector" "$work/connector"
# The file says /usr/local or wherever it was configured for; the root comes before that.
export PKG_CONFIG_LIBDIR="$(dirname "$pc")" PKG_CONFIG_SYSROOT_DIR="$work/root"
log meson setup "$work/build" "$work/connector" ${OUT_OF_TREE_SANITIZE:+-Db_sanitize=$OUT_OF_TREE_SANITIZE}
log ninja -C "$work/build"
if grep -q "$source/bus" "$work/build/compile_commands.json"; then
	echo "not ok 1 - it was built against the tree"
	exit 1
fi
"$suite" --plugin "$work/build/tcp_line.so" -- "${PYTHON:-/usr/bin/python3}" "$work/connector/peer.py"
