from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdoor.errors import ConfigError
from meshdoor.settings.camera import MAX_MASKS, MAX_OPTIONS, CameraConfig, Mask


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=4))
def test_a_mask_survives_the_way(parts: list[int]) -> None:
    left, width = parts[0] / 20, parts[1] / 20
    top, height = parts[2] / 20, parts[3] / 20
    mask = Mask(left, top, width, height)
    assert (mask.right, mask.bottom) == (left + width, top + height)
    assert Mask.parse(str(mask)) == mask


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "0,0,0,10", "0,0,10,0", "60,0,50,10", "0,60,10,50", "a,b,c,d", "-1,0,5,5", "1e1,0,5,5"]
)
def test_what_is_no_part_of_a_picture(text: str) -> None:
    with pytest.raises(ConfigError, match="no part of a picture") as caught:
        CameraConfig(masks=(text,))
    assert "percent" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"masks": ("0,0,5,5",) * (MAX_MASKS + 1)}, "more than 16"),
        ({"encoder": "gpu"}, "none of auto, software"),
        ({"options": ("--x",) * (MAX_OPTIONS + 1)}, "printable words"),
        ({"options": ("a\nb",)}, "printable words"),
    ],
)
def test_what_cannot_be_set(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        CameraConfig(**settings)  # type: ignore[arg-type]


def test_the_masks() -> None:
    assert CameraConfig(masks=("0,0,25,100",)).parsed_masks() == (Mask(0, 0, 25, 100),)
    assert CameraConfig().parsed_masks() == ()
