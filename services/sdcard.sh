#!/bin/sh
# Prepares an SD card, freshly written with Raspberry Pi OS (64-bit, 12 or newer), so that its Pi installs Meshdoor by
# itself at its first boot, and joins the home if it is given an enrolment file:
#
#   services/sdcard.sh /media/you/bootfs --role door --name "Front door" --enrol gate.enrol
#
# BOOT is where the card's boot partition is mounted. What follows it goes to `meshdoor install`. The Pi needs the
# network for it: set that up in Raspberry Pi Imager, or use a cable.
set -eu
export COPYFILE_DISABLE=1 # macOS: no files beside the files
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
die() { echo "sdcard.sh: $*" >&2; exit 2; }

boot=${1:-}
[ -n "$boot" ] || die 'where is the boot partition of the card mounted? sdcard.sh BOOT [--role ROLE] ...'
shift
for file in cmdline.txt config.txt; do
	[ -f "$boot/$file" ] || die "$boot is not the boot partition of Raspberry Pi OS"
done

enrolment=
mkdir -p "$boot/meshdoor"
: >"$boot/meshdoor/arguments"
while [ $# -gt 0 ]; do
	case $1 in
	--enrol) enrolment=${2:?--enrol needs a file}; shift ;;
	--enrol=*) enrolment=${1#--enrol=} ;;
	*"
"*) die 'no argument may have two lines' ;;
	*) printf '%s\n' "$1" >>"$boot/meshdoor/arguments" ;;
	esac
	shift
done
if [ -n "$enrolment" ]; then
	grep -q '^format = "meshdoor enrolment' "$enrolment" || die "$enrolment is no enrolment file"
	cp "$enrolment" "$boot/meshdoor.enrol"
fi

tar -C "$here/.." -czf "$boot/meshdoor/meshdoor.tar.gz" --exclude=__pycache__ --exclude='keys/*/*' \
	pyproject.toml constraints.txt README.md LICENSE keys/README.md meshdoor services
cp "$here/first-boot.sh" "$boot/meshdoor/"

if [ -f "$boot/firstrun.sh" ]; then
	# Raspberry Pi Imager's own first run: ours is done in it, before its end.
	if ! grep -q meshdoor/first-boot.sh "$boot/firstrun.sh"; then
		{
			head -n 1 "$boot/firstrun.sh"
			# shellcheck disable=SC2016 # that script's own $0
			echo 'sh "$(dirname "$0")/meshdoor/first-boot.sh" || true'
			tail -n +2 "$boot/firstrun.sh"
		} >"$boot/firstrun.sh.new"
		mv "$boot/firstrun.sh.new" "$boot/firstrun.sh"
	fi
elif ! grep -q systemd.run= "$boot/cmdline.txt"; then
	run='systemd.run=/boot/firmware/meshdoor/first-boot.sh systemd.run_success_action=reboot'
	sed "1s|\$| $run systemd.unit=kernel-command-line.target|" "$boot/cmdline.txt" >"$boot/cmdline.new"
	mv "$boot/cmdline.new" "$boot/cmdline.txt"
fi
grep -q meshdoor/first-boot.sh "$boot/cmdline.txt" "$boot/firstrun.sh" 2>/dev/null ||
	die "$boot/cmdline.txt runs something else at the first boot"
sync
echo "Done. Unmount the card, put it into the Pi and switch it on; it takes some minutes."
[ -z "$enrolment" ] || echo "Remove $enrolment here, too: it is good for one device, and is a key until then."
