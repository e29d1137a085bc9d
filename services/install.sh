#!/bin/sh
# Makes this machine a node of Meshdoor, from a checkout: sudo services/install.sh --role door --name "Front door"
# All arguments are those of `meshdoor install` (--help tells), which does the work; this finds a Python for it.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

dry=
for word; do
	case $word in --dry-run | --help | -h) dry=1 ;; esac
done

if [ "$(id -u)" != 0 ] && [ -z "$dry" ]; then
	command -v sudo >/dev/null || { echo "install.sh: only root can do this" >&2; exit 2; }
	exec sudo -- "$0" "$@"
fi

good() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! good /usr/bin/python3; then
	if [ -x /usr/bin/python3 ]; then
		echo "install.sh: $(/usr/bin/python3 -V) is too old: Debian 12, Raspberry Pi OS 12 or newer is needed" >&2
		exit 2
	fi
	command -v apt-get >/dev/null || { echo "install.sh: python3 (3.11 or newer) is needed" >&2; exit 2; }
	if [ -n "$dry" ]; then
		echo "would install python3 (apt-get), and then say what else there is to do"
		exit 0
	fi
	echo "now install python3 (apt-get)"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 >/dev/null
fi

verb=install
if [ "${1:-}" = uninstall ]; then
	verb=uninstall
	shift
fi
# -B: nothing is left behind in the checkout, which may be somebody else's.
exec env PYTHONPATH="$root" /usr/bin/python3 -B -P -m meshdoor $verb "$@"
