"""Every view at every size, theme and language: what is drawn is on the screen, what is touched is large enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshdoor.media.page_files import drawings
from meshdoor.wall import layout, views
from meshdoor.wall.look import Look
from meshdoor.wall.model import Alarm, Door, Invited, Newcomer, Pairing, Quiet, Room, Settings, Sound, Visit, WallState
from meshdoor.wall.place import FOUND, INVITE, RENAME, Place, View, go
from meshdoor.wall.scene import Action, Area, Icon, Picture, Scene, Size, Text
from tests.wall import houses
from tests.wall.houses import HOME, LANGUAGES, NOON, SIZES, look

RINGING = replace(HOME, visitors=(houses.VISITOR, houses.KNOCKING))
CALLED = replace(houses.ROOM_CALL, incoming=False)
CASES: dict[str, tuple[Place, WallState]] = {
    "clock": (Place(View.CLOCK), HOME),
    "clock of a calm house": (Place(View.CLOCK), houses.CALM),
    "doors": (Place(View.DOORS), HOME),
    "one door": (Place(View.DOORS), houses.CALM),
    "no door": (Place(View.DOORS), WallState()),
    "rooms": (Place(View.ROOMS), replace(HOME, quiet=Quiet(on=True, now=True))),
    "no room": (Place(View.ROOMS), WallState()),
    "visitors": (Place(View.VISITORS), HOME),
    "more visitors": (Place(View.VISITORS, page=1), HOME),
    "no visitor": (Place(View.VISITORS), WallState()),
    "visit": (Place(View.VISIT, "v1"), HOME),
    "a visit that is gone": (Place(View.VISIT, "v9"), HOME),
    "pairing": (Place(View.PAIRING), HOME),
    "nobody to pair": (Place(View.PAIRING), WallState()),
    "pairing is not for this one": (Place(View.PAIRING), replace(HOME, me=replace(HOME.me, can_admit=False))),
    "code": (Place(View.CODE, HOME.newcomers[0].id, typed="123"), HOME),
    "whole code": (Place(View.CODE, "gone", typed="12345678"), HOME),
    "name of a phone": (Place(View.NAME, INVITE), HOME),
    "name of a home": (Place(View.NAME, FOUND, typed="Maple", layer="lower"), houses.UNPAIRED),
    "name of a screen": (Place(View.NAME, RENAME, typed="x" * 32, layer="others"), HOME),
    "invitation is made": (Place(View.INVITED, "Alice"), HOME),
    "invited": (Place(View.INVITED, "Alice"), replace(HOME, invited=houses.INVITED)),
    "joined": (Place(View.INVITED, "Alice"), replace(HOME, invited=replace(houses.INVITED, joined=True))),
    "too late": (Place(View.INVITED, "Alice"), replace(HOME, invited=replace(houses.INVITED, expires=NOON))),
    "settings": (Place(View.SETTINGS), replace(HOME, quiet=Quiet(on=True))),
    "last settings": (Place(View.SETTINGS, page=9), replace(HOME, settings=Settings(0, 1, "gone", sleep=0))),
    "handover": (Place(View.HANDOVER), HOME),
    "nobody to hand over to": (Place(View.HANDOVER), WallState()),
    "ringing": (Place(View.CALL), RINGING),
    "silenced": (Place(View.CALL), replace(HOME, visitors=(replace(houses.VISITOR, silenced=True, picture="none"),))),
    "given": (Place(View.CALL), replace(HOME, visitors=(replace(houses.VISITOR, giver="Hall", picture="coming"),))),
    "talking": (Place(View.CALL), replace(HOME, visitors=(houses.TALKING, houses.KNOCKING))),
    "muted": (Place(View.CALL), replace(HOME, visitors=(replace(houses.TALKING, muted=True),))),
    "half duplex": (Place(View.CALL), replace(HOME, visitors=(houses.TALKING,), sound=Sound(half_duplex=True))),
    "no microphone": (Place(View.CALL), replace(HOME, visitors=(houses.TALKING,), sound=Sound(microphone=False))),
    "a room calls": (Place(View.CALL), replace(HOME, call=houses.ROOM_CALL)),
    "a visitor while a room talks": (
        Place(View.CALL),
        replace(RINGING, call=replace(houses.ROOM_CALL, state="connected")),
    ),
    "a room is called": (Place(View.CALL), replace(HOME, call=replace(CALLED, state="calling"))),
    "it rings there": (Place(View.CALL), replace(HOME, call=replace(CALLED, state="ringing"))),
    "a visitor while one calls": (Place(View.CALL), replace(RINGING, call=houses.ROOM_CALL)),
    "monitor": (Place(View.CALL), replace(HOME, call=houses.MONITOR)),
    "monitor connects": (Place(View.CALL), replace(HOME, call=replace(houses.MONITOR, state="calling"))),
    "monitor asks": (Place(View.CALL), replace(HOME, call=replace(houses.MONITOR, state="asking"))),
    "monitor talks": (Place(View.CALL), replace(HOME, call=replace(houses.MONITOR, state="talking"))),
    "paging": (Place(View.CALL), replace(HOME, call=replace(CALLED, kind="page", state="connected"))),
    "paged": (Place(View.CALL), replace(HOME, call=replace(houses.ROOM_CALL, kind="page", state="connected"))),
    "nothing is on": (Place(View.CALL), HOME),
    "alarm": (Place(View.ALARM, "a"), replace(HOME, alarms=(Alarm("a", "tamper", "Front door"),))),
    "an alarm of another version": (Place(View.ALARM, "a"), replace(HOME, alarms=(Alarm("a", "x", text="Water!"),))),
    "newcomer": (Place(View.NEWCOMER), houses.UNPAIRED),
    "newcomer waits": (
        Place(View.NEWCOMER),
        replace(houses.UNPAIRED, pairing=Pairing("1234-5678", until=1030.0, homes=("Maple Street 5",))),
    ),
    "newcomer without a code": (Place(View.NEWCOMER), replace(houses.UNPAIRED, pairing=None)),
}


def check(scene: Scene, made_for: Look) -> None:
    """What holds for every scene."""
    screen = made_for.screen
    for item in scene.items:
        assert item.box.within(screen), item
        if isinstance(item, Text):
            height = layout.line_height(item.size) * len(item.lines)
            widths = [made_for.measure(line, item.size, item.weight) for line in item.lines]
            assert height <= item.box.h, item
            assert max(widths) <= item.box.w or item.text == "", item
            assert len(item.lines) <= item.max_lines, item
        if isinstance(item, Icon):
            assert item.name in drawings()
            assert item.box.w > 0
            assert item.box.h > 0
        if isinstance(item, Picture):
            assert item.box.w >= 32
            assert item.box.h >= 32
    for index, area in enumerate(scene.touch):
        assert area.box.within(screen), area
        assert min(area.box.w, area.box.h) >= layout.TOUCH, area
        for other in scene.touch[index + 1 :]:
            assert not area.box.overlaps(other.box), (area, other)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size.w}x{size.h}")
@pytest.mark.parametrize("case", CASES)
def test_all_is_on_the_screen(case: str, size: Size, language: str) -> None:
    place, state = CASES[case]
    for theme in ("light", "dark"):
        made_for = look(size, language, theme)
        check(views.draw(place, state, made_for), made_for)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size.w}x{size.h}")
@pytest.mark.parametrize("case", CASES)
def test_no_sentence_of_ours_is_cut_off(case: str, size: Size, language: str) -> None:
    place, state = CASES[case]
    for item in views.draw(place, state, look(size, language)).items:
        assert not (isinstance(item, Text) and item.text.endswith("…") and not item.text.endswith(" …")), item


def test_every_view_is_looked_at() -> None:
    assert {place.view for place, _ in CASES.values()} == set(View) == set(views.VIEWS)


names = st.text(max_size=64)
states = st.sampled_from(["ready", "in call", "unreachable", "joining", "something new"])
doors = st.builds(
    Door, names, names, states, st.sampled_from(["", "/x.jpg"]), st.just(NOON), st.booleans(),
    st.sampled_from(["", "open", "left open", "closed"]), st.booleans(),
)
rooms = st.builds(Room, names, names, st.sampled_from(["screen", "phone"]), states, names)
results = st.sampled_from(["missed", "answered"])
visits = st.builds(Visit, names, names, st.just(NOON), results, names, seen=st.booleans())


def distinct(some: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(some, max_size=9, unique_by=lambda each: each.id).map(tuple)  # type: ignore[attr-defined]


houses_of_any_kind = st.builds(
    WallState,
    me=st.builds(replace, st.just(HOME.me), name=names, home=names, can_talk=st.booleans(), can_open=st.booleans()),
    doors=distinct(doors),
    rooms=distinct(rooms),
    visits=distinct(visits),
    missed=st.integers(0, 99),
    newcomers=distinct(st.builds(Newcomer, names, names, st.just("door"))),
    quiet=st.builds(Quiet, st.booleans(), now=st.booleans()),
    sound=st.builds(Sound, st.booleans(), st.sampled_from(["", "here", "there"]), st.booleans(), st.booleans()),
    invited=st.builds(Invited, names, st.just("https://x/"), st.just(NOON + 60)),
    visitors=st.lists(
        st.builds(replace, st.just(houses.VISITOR), number=st.uuids().map(str), name=names, giver=names), max_size=4
    ).map(tuple),
    call=st.none() | st.builds(replace, st.just(houses.ROOM_CALL), name=names),
)
sizes = st.builds(Size, st.integers(480, 1920), st.integers(480, 1920)).filter(lambda size: max(size) >= 720)


@settings(max_examples=100, deadline=None)
@given(houses_of_any_kind, sizes, st.sampled_from(LANGUAGES), st.sampled_from(View), st.integers(0, 3))
def test_any_house_on_any_display(state: WallState, size: Size, language: str, view: View, page: int) -> None:
    about = {View.NAME: INVITE, View.VISIT: state.visits[0].id if state.visits else ""}.get(view, "")
    made_for = look(size, language)
    check(views.draw(Place(view, about, page), state, made_for), made_for)


def actions(case: str, size: Size = SIZES[1]) -> list[Action]:
    place, state = CASES[case]
    return [area.action for area in views.draw(place, state, look(size)).touch]


def area(case: str, action: Action) -> Area:
    place, state = CASES[case]
    return next(each for each in views.draw(place, state, look(SIZES[1])).touch if each.action == action)


def said(case: str) -> str:
    place, state = CASES[case]
    items = views.draw(place, state, look(SIZES[1])).items
    return "\n".join(item.text.replace("\n", " ") for item in items if isinstance(item, Text))


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("ringing", [("silence", "1"), ("decline", "1"), ("open", "d1"), ("answer", "1"), ("answer", "2")]),
        ("talking", [("mute", "on"), ("open", "d1"), ("go", "handover", ""), ("hangup",), ("answer", "2")]),
        ("muted", [("mute", "off")]),
        ("a room calls", [("refuse", "7"), ("accept", "7")]),
        ("a room is called", [("hangup",)]),
        ("a visitor while a room talks", [("hangup",), ("answer", "1")]),
        ("monitor", [("talk",), ("open", "d1"), ("hangup",)]),
        ("paged", [("talk",), ("hangup",)]),
        ("paging", [("mute", "on"), ("hangup",)]),
        ("doors", [("monitor", "d1"), ("open", "d1"), ("open", "d3")]),
        ("rooms", [("page",), ("set", "quiet", "off"), ("call", "r1"), ("call", "p1")]),
        ("visitors", [("go", "visit", "v1")]),
        ("pairing", [("go", "name", INVITE), ("go", "code", "762i-4wgo-fh5g-6z2x")]),
        ("whole code", [("enter",)]),
        ("handover", [("handover", "r1"), ("back",)]),
        ("invited", [("withdraw",)]),
        ("alarm", [("dismiss", "a")]),
        ("newcomer", [("go", "name", FOUND)]),
        ("clock", [("go", "doors", ""), ("go", "visitors", ""), ("go", "rooms", "")]),
    ],
)
def test_what_can_be_done(case: str, wanted: list[tuple[str, ...]]) -> None:
    assert {Action(verb, tuple(args)) for verb, *args in wanted} <= set(actions(case))


@pytest.mark.parametrize(
    ("case", "never"),
    [
        ("ringing", "hangup"), ("talking", "silence"), ("silenced", "silence"), ("monitor asks", "talk"),
        ("monitor", "mute"),
        ("handover", "handover r3"), ("handover", "handover r2"),
        ("a room calls", "open"), ("code", "enter"), ("pairing is not for this one", "go name"),
    ],
)
def test_what_cannot(case: str, never: str) -> None:
    assert not any(f"{action.verb} {' '.join(action.args)}".startswith(never) for action in actions(case))


def test_a_door_is_held_open_and_not_tapped() -> None:
    assert area("ringing", Action("open", ("d1",))).hold == 0.9
    assert area("doors", Action("open", ("d1",))).hold == 0.9
    assert area("ringing", Action("answer", ("1",))).hold == 0


def test_a_screen_that_may_not_open_or_talk_does_not_offer_it() -> None:
    state = replace(RINGING, me=replace(HOME.me, can_open=False, can_talk=False))
    alone = replace(state, visitors=state.visitors[:1])
    assert {each.action.verb for each in views.draw(Place(View.CALL), alone, look()).touch} == {"silence", "decline"}
    assert all(each.action.verb != "call" for each in views.draw(Place(View.ROOMS), state, look()).touch)


def test_missed_ones_come_first() -> None:
    state = replace(HOME, visits=tuple(replace(visit, seen=visit.id != "v3") for visit in HOME.visits))
    texts = [item for item in views.draw(Place(View.VISITORS), state, look(SIZES[2])).items if isinstance(item, Text)]
    first = min((each for each in texts if each.text in ("Went away", "Ringing now")), key=lambda each: each.box.y)
    assert first.text == "Went away"


def test_a_picture_is_asked_for_by_its_leg() -> None:
    place, state = CASES["ringing"]
    shown = [item.source for item in views.draw(place, state, look()).items if isinstance(item, Picture)]
    assert shown == ["leg:visit-1"]
    place, state = CASES["silenced"]
    assert not any(isinstance(item, Picture) for item in views.draw(place, state, look()).items)
    assert "Front door has no picture now" in said("silenced")


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("clock", "1 visitor while you were away"), ("clock", "2 devices are not reachable"),
        ("clock", "Garage was left open"), ("clock of a calm house", "All is well"), ("clock", "Monday, June 1"),
        ("visitors", "Kitchen → Hall"), ("visitors", "Answered"), ("half duplex", "One speaks at a time"),
        ("no microphone", "you cannot be heard"), ("given", "Hall hands a visitor over to you"),
        ("an alarm of another version", "Water!"), ("newcomer", "1234-5678"), ("newcomer waits", "0:30"),
        ("code", "123·-····"), ("invited", "10:00"), ("too late", "too old"), ("talking", "1:00"),
        ("last settings", "0.1.0"), ("monitor connects", "Connecting"), ("it rings there", "Ringing there"),
        ("paged", "Kitchen speaks to all rooms"), ("paging", "All rooms hear you"),
    ],
)
def test_what_is_said(case: str, sentence: str) -> None:
    assert sentence in said(case)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (replace(houses.CALM, rooms=houses.ROOMS[:2]), "Bedroom is not reachable"),
        (replace(houses.CALM, doors=(replace(houses.FRONT, contact="open"),)), "Front door is open"),
        (replace(houses.CALM, doors=(replace(houses.FRONT, camera=False),)), "Front door has no picture now"),
        (replace(houses.CALM, quiet=Quiet(on=True, now=True)), "Quiet hours until 07:00"),
        (replace(houses.CALM, sound=Sound(speaker=False)), "no speaker"),
        (replace(houses.CALM, sound=Sound(microphone=False)), "no microphone"),
        (replace(houses.CALM, rooms=(replace(houses.ROOMS[3], state="unreachable"),)), "All is well"),
    ],
)
def test_the_state_of_the_house(state: WallState, sentence: str) -> None:
    items = views.draw(Place(View.CLOCK), state, look(SIZES[1])).items
    assert any(sentence in item.text.replace("\n", " ") for item in items if isinstance(item, Text))


def test_settings_step_by_step() -> None:
    place, state = CASES["settings"]
    places = [replace(place, page=page) for page in range(3)]
    offered = [each.action.args for there in places for each in views.draw(there, state, look(SIZES[3])).touch]
    wanted = {
        ("volume", "6"), ("volume", "8"), ("brightness", "7"), ("tone", "bell"), ("tone", "/etc/meshdoor/dog.wav"),
        ("quiet", "off"),
        ("quiet_from", "21:30"), ("quiet_to", "07:30"), ("theme", "light"), ("language", "en"), ("sleep", "900"),
    }
    assert wanted <= set(offered)


def test_a_tone_of_ones_own_is_called_by_the_name_of_its_file() -> None:
    state = replace(HOME, settings=replace(HOME.settings, tone="/etc/meshdoor/dog.wav"))
    items = views.draw(Place(View.SETTINGS), state, look(SIZES[3])).items
    assert any(isinstance(item, Text) and item.text == "dog.wav" for item in items)


def test_a_setting_at_its_end_goes_no_further() -> None:
    state = replace(HOME, settings=Settings(0, 10))
    offered = {each.action.args for each in views.draw(Place(View.SETTINGS), state, look(SIZES[3])).touch}
    assert ("volume", "1") in offered
    assert ("brightness", "9") in offered
    assert not {("volume", "-1"), ("brightness", "11")} & offered


def test_lists_are_turned_by_their_pages() -> None:
    many = replace(HOME, rooms=tuple(Room(str(number), f"Room {number}") for number in range(30)))
    seen: set[str] = set()
    for page in range(12):
        touch = views.draw(Place(View.ROOMS, page=page), many, look()).touch
        seen |= {each.action.args[0] for each in touch if each.action.verb == "call"}
    assert len(seen) == 30
    assert Action("turn", ("1",)) in [each.action for each in views.draw(Place(View.ROOMS), many, look()).touch]


def test_the_menu_leads_everywhere() -> None:
    for root in (View.DOORS, View.ROOMS, View.VISITORS, View.PAIRING, View.SETTINGS):
        assert go(root) in actions("rooms")
