from __future__ import annotations

from pathlib import Path

import pytest

from meshdoor.store.lasting import kind_of, lasts

MOUNTS = r"""
21 1 179:2 / / rw,noatime - ext4 /dev/root rw
22 21 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
23 21 179:3 / /var/lib/meshdoor rw - ext4 /dev/mmcblk0p3 rw
24 21 179:3 / /mnt/a\040disk rw - vfat /dev/sda1 rw
25 24 179:3 / /mnt/a\040disk rw - tmpfs tmpfs rw
nonsense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/pi", "ext4"),
        ("/run/meshdoor", "tmpfs"),
        ("/running", "ext4"),
        ("/var/lib/meshdoor", "ext4"),
        ("/mnt/a disk/x", "tmpfs"),
    ],
)
def test_the_deepest_and_latest_mount_counts(path: str, kind: str) -> None:
    assert kind_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    ("root", "command_line", "lasting"),
    [
        ("ext4", "boot=overlay", True),
        ("tmpfs", "", False),
        ("overlay", "console=tty1 boot=overlay quiet", False),
        ("overlay", "overlayroot=tmpfs", False),
        ("overlay", "overlayroot=disabled", True),
        ("overlay", "quiet", True),  # a container
    ],
)
def test_an_overlay_of_a_read_only_root_does_not_last(
    root: str, command_line: str, lasting: bool, tmp_path: Path
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text(f"21 1 0:1 / / rw - {root} none rw\n")
    (tmp_path / "cmdline").write_text(command_line)
    assert lasts(Path("/nowhere/at/all"), tmp_path) is lasting


def test_without_proc_it_is_taken_to_last(tmp_path: Path) -> None:
    assert lasts(tmp_path, tmp_path / "none")
