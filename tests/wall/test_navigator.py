"""The navigator, as a person and a node use it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshdoor.wall.model import Alarm, Notice, Quiet, Room, Settings, Visitor, WallState
from meshdoor.wall.navigator import Act, Command, Navigator, Redraw, Sleep, Wake
from meshdoor.wall.place import Place, View
from meshdoor.wall.scene import Action, Area, Box, Rect, Scene, Size, Text
from tests.wall import houses
from tests.wall.houses import HOME, NOON, SIZES, UNPAIRED, VISITOR, surface

RINGING = replace(HOME, visitors=(VISITOR,))
ALARMED = replace(HOME, alarms=(Alarm("a", "tamper"),))
TALKING = replace(HOME, visitors=(houses.TALKING,))


class Wall:
    """A navigator, a clock, and somebody who touches what can be touched."""

    def __init__(self, state: WallState = HOME, size: Size = SIZES[0]) -> None:
        self.now = 1000.0
        self.navigator = Navigator(surface(size), self.now)
        self.scene = Scene()
        self.told(state)
        self.wait(1.0)
        self.commands()

    def told(self, state: WallState) -> None:
        self.navigator.told(state, self.now)
        self.draw()

    def draw(self) -> None:
        self.scene = self.navigator.scene(self.now, NOON + self.now - 1000.0)

    def commands(self) -> list[Command]:
        found = []
        while (command := self.navigator.next_command()) is not None:
            if command != Redraw():
                found.append(command)
        self.draw()
        return found

    def asked(self) -> list[tuple[str, ...]]:
        """What the node is asked for."""
        return [(each.action.verb, *each.action.args) for each in self.commands() if isinstance(each, Act)]

    def wait(self, seconds: float) -> None:
        """Time passes, and every deadline is kept."""
        until = self.now + seconds
        for _ in range(20000):
            deadline = self.navigator.next_deadline()
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            self.navigator.handle_timer(self.now)
            self.draw()
        else:
            raise AssertionError("a deadline that does not go away")
        self.now = until

    def area(self, verb: str, *args: str) -> Area:
        wanted = (each for each in self.scene.touch if each.action.verb == verb)
        return next(each for each in wanted if each.action.args[: len(args)] == args)

    def down(self, area: Area) -> None:
        self.navigator.touched(*centre(area), self.now)
        self.draw()

    def up(self, area: Area) -> None:
        self.navigator.released(*centre(area), self.now)
        self.draw()

    def tap(self, verb: str, *args: str) -> None:
        area = self.area(verb, *args)
        self.down(area)
        self.wait(0.05)
        self.up(area)

    def key(self, *names: str) -> None:
        for name in names:
            self.navigator.key(name, self.now)
            self.draw()

    def view(self) -> View:
        return self.navigator.front.view

    @property
    def said(self) -> str:
        return "\n".join(item.text.replace("\n", " ") for item in self.scene.items if isinstance(item, Text))


def centre(area: Area) -> tuple[int, int]:
    return area.box.x + area.box.w // 2, area.box.y + area.box.h // 2


def test_it_begins_with_the_clock_and_asks_to_be_drawn() -> None:
    navigator = Navigator(surface(), 5.0)
    assert navigator.next_command() == Redraw()
    assert navigator.next_command() is None
    assert navigator.front == Place(View.CLOCK)


def test_a_person_walks_through_the_views_and_back() -> None:
    wall = Wall()
    wall.tap("go", "doors")
    assert wall.view() is View.DOORS
    wall.tap("go", "visitors")
    wall.tap("go", "visit", "v1")
    assert wall.view() is View.VISIT
    wall.key("escape")
    assert wall.view() is View.VISITORS
    wall.key("escape")
    assert wall.view() is View.DOORS
    wall.tap("go", "clock")
    assert wall.view() is View.CLOCK


def test_a_ring_comes_to_the_front_and_goes_as_it_came() -> None:
    wall = Wall()
    wall.tap("go", "doors")
    wall.tap("go", "pairing")
    wall.tap("go", "name", "invite")
    wall.tap("type", "A")
    wall.told(RINGING)
    assert wall.view() is View.CALL
    wall.told(HOME)
    assert wall.navigator.front == Place(View.NAME, "invite", typed="A", layer="lower")


def test_answer_talk_open_hang_up() -> None:
    wall = Wall(RINGING)
    wall.tap("answer", "1")
    wall.told(TALKING)
    wall.tap("mute")
    area = wall.area("open", "d1")
    wall.down(area)
    wall.wait(0.8)
    assert wall.asked() == [("answer", "1"), ("mute", "on")]
    wall.wait(0.2)
    wall.up(area)
    wall.tap("hangup")
    assert wall.asked() == [("open", "d1"), ("hangup",)]


def test_a_hold_that_is_let_go_opens_nothing_and_shows_how_far_it_came() -> None:
    wall = Wall(RINGING)
    area = wall.area("open", "d1")
    wall.down(area)
    wall.wait(0.45)
    bars = [item.box.w for item in wall.scene.items if isinstance(item, Rect) and item.box.bottom == area.box.bottom]
    assert min(bars) == pytest.approx(area.box.w / 2, rel=0.1)
    wall.up(area)
    wall.wait(2.0)
    assert wall.asked() == []


def test_a_finger_that_slides_off_does_nothing() -> None:
    wall = Wall(RINGING)
    answer = wall.area("answer")
    wall.down(answer)
    wall.navigator.moved(*centre(answer), wall.now)
    wall.navigator.moved(2, 2, wall.now)
    wall.up(answer)
    assert wall.asked() == []
    wall.down(answer)
    wall.navigator.released(2, 2, wall.now)
    assert wall.asked() == []


def test_a_second_finger_counts_for_nothing() -> None:
    wall = Wall(RINGING)
    wall.down(wall.area("decline"))
    wall.down(wall.area("answer"))
    wall.up(wall.area("answer"))
    assert wall.asked() == []


def test_what_was_meant_for_the_view_before_declines_no_visitor() -> None:
    wall = Wall()
    wall.tap("go", "doors")
    wall.told(RINGING)
    decline = wall.area("decline")
    wall.wait(0.2)
    wall.down(decline)
    wall.up(decline)
    assert wall.asked() == []
    wall.wait(0.3)
    wall.tap("decline")
    assert wall.asked() == [("decline", "1")]


def test_a_finger_that_is_down_when_it_rings_answers_nothing() -> None:
    wall = Wall()
    wall.down(wall.area("go", "doors"))
    wall.told(RINGING)
    wall.up(wall.area("answer"))
    assert wall.asked() == []


def test_a_button_that_goes_away_under_the_finger() -> None:
    wall = Wall(RINGING)
    area = wall.area("open", "d1")
    wall.down(area)
    wall.told(replace(HOME, visitors=(replace(VISITOR, lock=False),)))
    wall.wait(2.0)
    assert wall.asked() == []


def test_nobody_touches_it_then_the_clock_then_dark() -> None:
    wall = Wall()
    wall.tap("go", "doors")
    wall.wait(59)
    assert wall.view() is View.DOORS
    wall.wait(2)
    assert wall.view() is View.CLOCK
    wall.wait(298)
    assert wall.commands() == []
    wall.wait(3)
    assert wall.commands() == [Sleep()]
    assert wall.scene == Scene()
    assert wall.navigator.next_deadline() is None


def test_a_touch_of_a_dark_display_only_wakes() -> None:
    wall = asleep()
    wall.navigator.touched(400, 100, wall.now)
    wall.navigator.released(400, 100, wall.now)
    assert wall.commands() == [Wake()]
    assert wall.view() is View.CLOCK
    wall.key("tab")
    assert wall.commands() == []


def test_a_touch_of_a_dark_display_means_nothing_that_was_there_before() -> None:
    wall = Wall()
    wall.wait(400)
    before = wall.navigator.scene(wall.now, NOON)
    assert before == Scene()
    wall.navigator.near(wall.now)
    wall.draw()
    area = wall.area("go", "doors")
    navigator = wall.navigator
    wall.now += 1000.0
    navigator.handle_timer(wall.now)
    wall.now += 1000.0
    navigator.handle_timer(wall.now)  # dark, and not drawn since
    assert navigator.asleep
    navigator.touched(*centre(area), wall.now)
    navigator.released(*centre(area), wall.now)
    assert wall.view() is View.CLOCK


def test_a_key_or_somebody_near_wakes() -> None:
    wall = asleep()
    wall.key("return")
    assert wall.commands() == [Wake()]
    wall = asleep()
    wall.navigator.near(wall.now)
    assert wall.commands() == [Wake()]


def asleep(state: WallState = HOME) -> Wall:
    wall = Wall(state)
    wall.wait(400)
    assert wall.commands() == [Sleep()]
    return wall


def test_a_display_that_is_never_to_sleep() -> None:
    wall = Wall(replace(HOME, settings=Settings(sleep=0)))
    wall.wait(3600)
    assert wall.commands() == []


@pytest.mark.parametrize("news", [RINGING, replace(HOME, call=houses.ROOM_CALL), ALARMED])
def test_it_wakes_for_what_comes(news: WallState) -> None:
    wall = asleep()
    wall.told(news)
    assert wall.commands() == [Wake()]
    wall.wait(3600)
    assert wall.commands() == []


def test_in_quiet_hours_it_wakes_only_for_an_alarm() -> None:
    quiet = replace(HOME, quiet=Quiet(on=True, now=True))
    wall = asleep(quiet)
    wall.told(replace(quiet, visitors=(VISITOR,)))
    assert wall.commands() == []
    assert wall.scene == Scene()
    wall.told(replace(quiet, visitors=(VISITOR,), alarms=(Alarm("a", "tamper", "Front door"),)))
    assert wall.commands() == [Wake()]


def test_the_same_news_twice_draw_nothing() -> None:
    wall = Wall()
    wall.navigator.told(HOME, wall.now)
    assert wall.navigator.next_command() is None


def test_an_alarm_stays_until_it_was_seen() -> None:
    wall = Wall(replace(HOME, alarms=(Alarm("a", "tamper", "Front door"), Alarm("b", "vanished", "Garage"))))
    assert "Somebody tampers with Front door" in wall.said
    wall.key("escape")
    assert wall.view() is View.ALARM
    wall.tap("dismiss")
    assert wall.asked() == [("dismiss", "a")]


def test_a_newcomer_shows_its_code_and_may_found_a_home() -> None:
    wall = Wall(UNPAIRED)
    assert "1234-5678" in wall.said
    wall.tap("go", "name", "found")
    assert wall.view() is View.NAME
    wall.key("M", "y", "backspace", "e", "return")
    assert wall.asked() == [("found", "Me")]
    assert wall.view() is View.NEWCOMER


def test_a_newcomer_that_waits_counts_the_seconds() -> None:
    pairing = UNPAIRED.pairing
    assert pairing is not None
    wall = Wall(replace(UNPAIRED, pairing=replace(pairing, until=1031.0)))
    assert "0:30" in wall.said
    wall.wait(5)
    assert "0:25" in wall.said


def test_a_node_is_let_in_by_its_code() -> None:
    wall = Wall()
    wall.tap("go", "doors")
    wall.tap("go", "pairing")
    wall.tap("go", "code", "762i-4wgo-fh5g-6z2x")
    wall.key(*"1234")
    wall.key("return", "x")
    for digit in "56789":
        wall.tap("type", digit)
    assert "1234-5678" in wall.said
    wall.tap("enter")
    assert wall.asked() == [("pair", "762i-4wgo-fh5g-6z2x", "12345678")]
    assert wall.view() is View.PAIRING


def test_a_phone_is_invited() -> None:
    wall = Wall()
    wall.tap("go", "doors")
    wall.tap("go", "pairing")
    wall.tap("go", "name", "invite")
    for letter in "A", "l":
        wall.tap("type", letter)
    wall.tap("layer", "others")
    wall.tap("type", "1")
    wall.tap("erase")
    wall.tap("enter")
    assert wall.asked() == [("invite", "Al")]
    assert wall.view() is View.INVITED
    wall.told(replace(HOME, invited=replace(houses.INVITED, name="Al")))
    wall.wait(120)
    assert wall.view() is View.INVITED
    assert "Al" in wall.said
    wall.tap("withdraw")
    assert wall.asked() == [("withdraw",)]
    assert wall.view() is View.PAIRING


def test_the_screen_is_renamed() -> None:
    wall = Wall(size=SIZES[3])
    wall.tap("go", "doors")
    wall.tap("go", "settings")
    if not any(each.action == Action("go", ("name", "rename")) for each in wall.scene.touch):
        wall.tap("turn", "1")
    wall.tap("go", "name", "rename")
    wall.key(*"Hall")
    wall.tap("enter")
    assert wall.asked() == [("set", "name", "Hall")]


def test_an_empty_name_is_none() -> None:
    wall = Wall()
    wall.navigator.place = Place(View.NAME, "invite", typed="  ")
    wall.navigator.told(replace(HOME, missed=3), wall.now)
    wall.draw()
    wall.key("return")
    assert wall.asked() == []
    assert wall.view() is View.NAME


def test_a_visitor_is_handed_over() -> None:
    rooms = tuple(Room(str(number), f"Room {number}") for number in range(20))
    wall = Wall(replace(TALKING, rooms=rooms))
    wall.tap("go", "handover")
    assert wall.view() is View.HANDOVER
    wall.tap("turn", "1")
    wall.key("escape")
    assert wall.view() is View.CALL
    wall.tap("go", "handover")
    wall.tap("handover", "0")
    assert wall.asked() == [("handover", "0")]
    assert wall.view() is View.CALL
    wall.tap("go", "handover")
    wall.told(HOME)
    assert wall.view() is View.CLOCK


def test_lists_are_turned() -> None:
    rooms = tuple(Room(str(number), f"Room {number}") for number in range(20))
    wall = Wall(replace(HOME, rooms=rooms))
    wall.tap("go", "doors")
    wall.tap("go", "rooms")
    wall.tap("turn", "1")
    assert wall.navigator.place.page == 1


def test_visitors_that_were_shown_count_as_seen() -> None:
    wall = Wall()
    wall.tap("go", "visitors")
    wall.wait(1.4)
    assert wall.asked() == []
    wall.wait(0.2)
    assert wall.asked() == [("seen", "v1")]
    wall.wait(30)
    assert wall.asked() == []


def test_who_leaves_at_once_has_not_seen_them() -> None:
    wall = Wall()
    wall.tap("go", "visitors")
    wall.wait(1.0)
    wall.tap("go", "doors")
    wall.wait(5)
    assert wall.asked() == []


def test_a_notice_is_told_for_some_seconds_and_once() -> None:
    told = Notice("n1", "over.missed", (("door", "Front door"),), kind="bad")
    wall = Wall()
    wall.told(replace(HOME, notices=(told,)))
    assert "You missed a visitor at Front door" in wall.said
    wall.wait(6.5)
    assert "You missed" not in wall.said
    wall.told(replace(HOME, notices=(told, Notice("n2", text="Something else"))))
    assert "You missed" not in wall.said
    assert "Something else" in wall.said


def test_the_clock_goes_on_and_wanders() -> None:
    wall = Wall(replace(HOME, settings=Settings(sleep=0)))
    before = wall.scene
    wall.wait(60)
    assert "12:01" in wall.said
    assert {item.box for item in before.items} != {item.box for item in wall.scene.items}


def test_the_length_of_a_talk_goes_on() -> None:
    wall = Wall(TALKING)
    assert "1:01" in wall.said
    wall.wait(5)
    assert "1:06" in wall.said


def test_keys_answer_decline_and_hang_up() -> None:
    wall = Wall(RINGING)
    wall.key("return", "escape", "s", "x")
    assert wall.asked() == [("answer", "1"), ("decline", "1"), ("silence", "1")]
    wall.told(TALKING)
    wall.key("m", "escape")
    assert wall.asked() == [("mute", "on"), ("hangup",)]


def test_a_key_opens_when_it_is_pressed_again() -> None:
    wall = Wall(RINGING)
    wall.key("o")
    assert "Press again to open" in wall.said
    assert wall.asked() == []
    wall.key("o")
    assert wall.asked() == [("open", "d1")]
    wall.key("o")
    wall.wait(5)
    assert "Press again" not in wall.said
    wall.key("o")
    assert wall.asked() == []


def test_a_second_press_opens_only_what_was_asked_for() -> None:
    wall = Wall(size=SIZES[1])
    wall.tap("go", "doors")
    wanted = [wall.area("open", "d1"), wall.area("open", "d3")]
    first, second = (wall.scene.touch.index(area) for area in wanted)
    wall.key(*["tab"] * (first + 1), "return")
    wall.key(*["tab"] * (second - first), "return")
    assert wall.asked() == []
    wall.key("return")
    assert wall.asked() == [("open", "d3")]


def test_the_focus_goes_from_area_to_area() -> None:
    wall = Wall(RINGING)
    plain = len(wall.scene.items)
    wall.key("tab")
    assert len(wall.scene.items) == plain + 4
    wall.key("tab", "space")
    assert wall.asked() == [("decline", "1")]
    wall.key("left", "left", "return")
    assert wall.asked() == [("answer", "1")]
    wall.down(wall.area("silence"))
    wall.up(wall.area("silence"))
    assert len(wall.scene.items) == plain


def test_the_focus_begins_at_the_end_when_it_goes_back() -> None:
    wall = Wall(RINGING)
    wall.key("up", "return")
    assert wall.asked() == [("answer", "1")]


def test_where_nothing_can_be_touched_there_is_no_focus() -> None:
    wall = asleep()
    wall.navigator.near(wall.now)
    wall.navigator.key("tab", wall.now)
    wall.draw()
    assert wall.scene.touch


def test_another_size_is_another_layout() -> None:
    wall = Wall(RINGING)
    wall.down(wall.area("answer"))
    wall.navigator.resized(SIZES[2], wall.now)
    wall.draw()
    wall.up(wall.area("answer"))
    assert wall.asked() == []
    assert wall.area("answer").box.bottom > 480


def test_its_own_language_and_theme() -> None:
    wall = Wall(replace(RINGING, me=replace(HOME.me, locale="de-DE")))
    assert "Antworten" in wall.said
    wall.told(replace(RINGING, settings=Settings(language="fr", theme="dark")))
    assert "Répondre" in wall.said


class AnyUse(RuleBasedStateMachine):
    """Whatever is touched, typed and told: every scene holds together, and every deadline is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.wall = Wall()
        self.visitors = 0

    @rule(x=st.integers(0, 799), y=st.integers(0, 479), seconds=st.sampled_from([0.0, 0.1, 1.0]))
    def touch(self, x: int, y: int, seconds: float) -> None:
        self.wall.navigator.touched(x, y, self.wall.now)
        self.wall.draw()
        self.wall.wait(seconds)
        self.wall.navigator.moved(x, y, self.wall.now)
        self.wall.navigator.released(x, y, self.wall.now)
        self.wall.draw()

    @rule(index=st.integers(0, 60))
    def tap(self, index: int) -> None:
        if self.wall.scene.touch:
            area = self.wall.scene.touch[index % len(self.wall.scene.touch)]
            self.wall.down(area)
            self.wall.up(area)

    @rule(name=st.sampled_from(["tab", "up", "return", "escape", "space", "o", "m", "7", "backspace"]))
    def key(self, name: str) -> None:
        self.wall.key(name)

    @rule(seconds=st.sampled_from([0.5, 10.0, 61.0, 310.0]))
    def wait(self, seconds: float) -> None:
        self.wall.wait(seconds)

    @rule(state=st.sampled_from([HOME, RINGING, TALKING, UNPAIRED, replace(HOME, call=houses.MONITOR), WallState()]))
    def tell(self, state: WallState) -> None:
        self.wall.told(state)

    @rule()
    def ring(self) -> None:
        self.visitors += 1
        state = self.wall.navigator.state
        self.wall.told(replace(state, visitors=(*state.visitors[-2:], Visitor(f"x{self.visitors}", "d1", "Door"))))

    @invariant()
    def holds(self) -> None:
        for command in self.wall.commands():
            assert not (isinstance(command, Act) and command.action.verb in ("go", "back", "turn", "type", "erase"))
        dark = self.wall.navigator.asleep
        assert (self.wall.scene == Scene()) is dark
        if not dark:
            screen = Box(0, 0, 800, 480)
            assert all(item.box.within(screen) for item in self.wall.scene.items)
            assert self.wall.navigator.next_deadline() is not None


AnyUse.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestAnyUse = AnyUse.TestCase
