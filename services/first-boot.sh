#!/bin/sh
# The first boot of a card that `sdcard.sh` prepared, in two parts. Without an argument, run from the boot partition
# before the network is up: takes the program over and makes a unit. `install`, in that unit: installs it, and is tried
# again until it succeeds. Log: journalctl -u meshdoor-setup
set -eu
setup=/opt/meshdoor-setup
unit=/etc/systemd/system/meshdoor-setup.service

if [ "${1:-}" = install ]; then
	set --
	while IFS= read -r word; do set -- "$@" "$word"; done <$setup/arguments
	$setup/services/install.sh "$@"
	systemctl disable --quiet meshdoor-setup.service
	rm -rf $setup $unit
	exit 0
fi

boot=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
mkdir -p $setup
tar -C $setup -xzf "$boot/meshdoor/meshdoor.tar.gz"
cp "$boot/meshdoor/arguments" $setup/arguments
cat >$unit <<'END'
[Unit]
Description=Install Meshdoor
Wants=network-online.target
After=network-online.target
ConditionPathExists=/opt/meshdoor-setup/services/first-boot.sh

[Service]
Type=oneshot
ExecStart=/opt/meshdoor-setup/services/first-boot.sh install
Restart=on-failure
RestartSec=30
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
END
systemctl enable --quiet meshdoor-setup.service
# Not at the next boot again.
sed -i 's| systemd\.run=[^ ]*meshdoor/first-boot\.sh systemd\.run_success_action=[^ ]* systemd\.unit=[^ ]*||' \
	"$boot/cmdline.txt"
rm -rf "$boot/meshdoor"
sync
