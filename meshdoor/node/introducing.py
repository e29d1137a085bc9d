"""The devices of a node, as its media engine is told of them."""

from __future__ import annotations

from meshdoor.config import Config
from meshdoor.media import messages as media
from meshdoor.media import plans
from meshdoor.media.screens import has_screen
from meshdoor.trust.permissions import Role


def hello(config: Config, role: Role, name: str) -> media.Hello:
    """Of a node in this role."""
    devices, screen = config.media, config.screen
    return media.Hello(
        role=str(role),
        name=name,
        camera=camera(config, role),
        microphone=devices.microphone,
        speaker=devices.speaker,
        echo=config.sound.echo,
        display=display(config, role),
        out_dir=devices.out_dir or None,
        video=plans.VideoFormat(devices.width, devices.height, devices.fps, devices.bitrate),
        pictures=config.camera,
        wall=plans.WallFormat(screen.window, screen.rotate, screen.font),
    )


def camera(config: Config, role: Role) -> str:
    """A screen has one only where the settings name it: `auto` and the test card are for doors."""
    found = config.media.camera
    return found if role is Role.DOOR or found not in ("auto", "card") else "none"


def display(config: Config, role: Role) -> str:
    """Only a screen has one of itself."""
    found = config.media.display
    return found if found != "auto" or role is Role.SCREEN else "null"


def has_wall(config: Config, role: Role) -> bool:
    """Is there a screen to be told?"""
    found = display(config, role)
    return found == "sdl" or (found == "auto" and has_screen())
