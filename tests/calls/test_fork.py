"""The fork: one winner at most, every loser ended, nobody left ringing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meshdoor.calls import branch as branches
from meshdoor.calls.commands import (
    Bye,
    Cancel,
    CloseMedia,
    Command,
    Ending,
    HandedOver,
    Invite,
    Knock,
    OpenTalk,
    Record,
    StartEarly,
    Step,
)
from meshdoor.calls.fork import HANDOVER_TIMEOUT, MAX_ATTEMPTS, MAX_BRANCHES, Fork, Outcome, State
from meshdoor.errors import LocalProtocolError

KITCHEN, HALL, BEDROOM = b"kitchen", b"hall", b"bedroom"


def drained(fork: Fork) -> list[Command]:
    return list(_commands(fork))


def done(fork: Fork) -> list[Command]:
    """What is to be done, without the records."""
    return [command for command in drained(fork) if not isinstance(command, Record)]


def _commands(fork: Fork) -> Iterator[Command]:
    while (command := fork.next_command()) is not None:
        yield command


def endings(fork: Fork) -> dict[bytes, str]:
    return {c.peer: c.detail for c in drained(fork) if isinstance(c, Record) and c.step is Step.ENDED}


@pytest.fixture
def fork() -> Fork:
    fork = Fork([KITCHEN, HALL], 0.0)
    assert done(fork) == [Invite(1, KITCHEN), Invite(2, HALL)]
    return fork


def test_early_media_starts_with_a_session_only(fork: Fork) -> None:
    fork.provisional(1, 0.1)
    assert done(fork) == []
    fork.early(1, 0.2)
    assert done(fork) == [StartEarly(1)]


def test_the_first_answer_wins_and_the_rest_hear_why(fork: Fork) -> None:
    fork.early(1, 0.1)
    fork.early(2, 0.1)
    drained(fork)
    fork.answered(2, 1.0)
    assert done(fork) == [OpenTalk(2), CloseMedia(1), Cancel(1, elsewhere=True)]
    fork.rejected(1, 487, 1.1)
    assert (fork.state, fork.outcome) == (State.TALKING, Outcome.ANSWERED)


def test_a_late_answer_gets_ack_and_bye(fork: Fork) -> None:
    fork.answered(2, 1.0)
    drained(fork)
    fork.answered(1, 1.01)
    assert done(fork) == [Bye(1, elsewhere=True)]


def test_a_decline_is_that_device_alone(fork: Fork) -> None:
    fork.rejected(1, 603, 1.0)
    assert fork.state is State.RINGING
    assert endings(fork) == {KITCHEN: Ending.DECLINED}
    fork.rejected(2, 486, 1.0)
    assert (fork.state, fork.outcome) == (State.ENDED, Outcome.DECLINED)


def test_nobody_answers(fork: Fork) -> None:
    fork.early(1, 0.1)
    drained(fork)
    assert fork.next_deadline() == 45.0
    fork.handle_timer(44.9)
    assert done(fork) == []
    fork.handle_timer(45.0)
    commands = drained(fork)
    assert Cancel(1, elsewhere=False) in commands
    assert Record(KITCHEN, Step.ENDED, 45.0, Ending.MISSED) in commands
    fork.handle_timer(46.0)
    fork.rejected(1, 487, 45.1)
    fork.failed(2, Ending.UNREACHABLE, 46.0)
    assert (fork.state, fork.outcome) == (State.ENDED, Outcome.MISSED)
    assert fork.next_deadline() is None


def test_the_visitor_gives_up(fork: Fork) -> None:
    fork.hang_up(3.0)
    assert Cancel(2, elsewhere=False) in done(fork)
    assert fork.outcome is Outcome.CANCELLED
    fork.hang_up(3.1)
    assert done(fork) == []


def test_both_ends_may_hang_up(fork: Fork) -> None:
    fork.answered(1, 1.0)
    fork.rejected(2, 487, 1.1)
    drained(fork)
    fork.hang_up(9.0)
    assert done(fork) == [CloseMedia(1), Bye(1)]
    assert fork.state is State.ENDED


def test_the_screen_hangs_up(fork: Fork) -> None:
    fork.answered(1, 1.0)
    fork.bye(1, 5.0)
    closing = fork.state
    fork.rejected(2, 487, 5.1)
    assert (closing, fork.state) == (State.CLOSING, State.ENDED)


def test_a_bye_while_it_rings_ends_that_branch_alone(fork: Fork) -> None:
    fork.early(1, 0.1)
    drained(fork)
    fork.bye(1, 0.5)
    assert endings(fork) == {KITCHEN: Ending.LOST}
    assert fork.state is State.RINGING


def test_a_second_press_knocks_only_while_somebody_talks(fork: Fork) -> None:
    fork.press(1.0)
    assert done(fork) == []
    fork.answered(1, 2.0)
    drained(fork)
    fork.press(3.0)
    assert done(fork) == [Knock(1)]


def test_a_member_that_appears_is_rung_too(fork: Fork) -> None:
    fork.peer_appeared(BEDROOM, 2.0)
    fork.peer_appeared(KITCHEN, 2.0)
    assert done(fork) == [Invite(3, BEDROOM)]


def test_one_that_vanished_and_came_back_is_rung_again(fork: Fork) -> None:
    for attempt in range(MAX_ATTEMPTS):
        fork.peer_vanished(KITCHEN, attempt)
        fork.peer_appeared(KITCHEN, attempt)
    numbers = [c.branch for c in done(fork) if isinstance(c, Invite)]
    assert len(numbers) == MAX_ATTEMPTS - 1


def test_who_declined_is_not_rung_again(fork: Fork) -> None:
    fork.rejected(1, 603, 1.0)
    drained(fork)
    fork.peer_appeared(KITCHEN, 2.0)
    assert done(fork) == []


def test_nobody_in_reach_rings_on_for_who_may_come() -> None:
    fork = Fork([], 0.0)
    assert fork.state is State.RINGING
    fork.peer_appeared(HALL, 5.0)
    assert done(fork) == [Invite(1, HALL)]


def test_what_was_sent_and_seen_is_written_down_once(fork: Fork) -> None:
    drained(fork)
    for _ in range(2):
        fork.first_packet(1, 0.2)
        fork.picture(1, 0.3)
    assert drained(fork) == [Record(KITCHEN, Step.PACKET, 0.2), Record(KITCHEN, Step.PICTURE, 0.3)]


@pytest.fixture
def handing(fork: Fork) -> Fork:
    """The kitchen talks and hands over to the bedroom, whose branch is the third."""
    fork.answered(1, 1.0)
    fork.rejected(2, 487, 1.1)
    drained(fork)
    assert fork.hand_over(BEDROOM, 5.0)
    assert done(fork) == [Invite(3, BEDROOM)]
    return fork


def test_who_is_handed_over_to_takes_over_when_it_answers(handing: Fork) -> None:
    handing.early(3, 5.1)
    assert done(handing) == [StartEarly(3)]
    assert (handing.winner, handing.talks) == (handing.branches[1], True)
    handing.answered(3, 8.0)
    commands = drained(handing)
    assert [command for command in commands if not isinstance(command, Record)] == [
        HandedOver(1, BEDROOM, Ending.ANSWERED),
        CloseMedia(1),
        Bye(1, elsewhere=True),
        OpenTalk(3),
    ]
    assert Record(KITCHEN, Step.ENDED, 8.0, Ending.HANDED_OVER) in commands
    assert (handing.state, handing.winner) == (State.TALKING, handing.branches[3])
    handing.bye(3, 9.0)
    assert (handing.state, handing.outcome) == (State.ENDED, Outcome.ANSWERED)


@pytest.mark.parametrize(("status", "ending"), [(603, Ending.DECLINED), (486, Ending.BUSY)])
def test_a_hand_over_that_is_declined_changes_nothing(handing: Fork, status: int, ending: Ending) -> None:
    handing.rejected(3, status, 6.0)
    assert done(handing) == [CloseMedia(3), HandedOver(1, BEDROOM, ending)]
    assert (handing.state, handing.winner) == (State.TALKING, handing.branches[1])


def test_a_hand_over_that_nobody_answers_changes_nothing(handing: Fork) -> None:
    assert handing.next_deadline() == 5.0 + HANDOVER_TIMEOUT
    handing.handle_timer(24.0)
    assert done(handing) == []
    handing.handle_timer(25.0)
    assert done(handing) == [CloseMedia(3), Cancel(3, elsewhere=True), HandedOver(1, BEDROOM, Ending.MISSED)]
    assert (handing.state, handing.next_deadline()) == (State.TALKING, None)
    handing.handle_timer(60.0)
    handing.answered(3, 25.1)
    assert done(handing) == [Bye(3, elsewhere=True)]
    assert handing.hand_over(BEDROOM, 61.0)


def test_one_that_vanishes_cannot_take_over(handing: Fork) -> None:
    handing.peer_vanished(BEDROOM, 6.0)
    assert HandedOver(1, BEDROOM, Ending.LOST) in done(handing)
    handing.peer_appeared(BEDROOM, 7.0)
    assert done(handing) == []


def test_when_the_talk_ends_nobody_can_take_over(handing: Fork) -> None:
    handing.press(5.5)
    handing.hang_up(6.0)
    assert done(handing) == [
        Knock(1),
        CloseMedia(1),
        Bye(1),
        CloseMedia(3),
        Cancel(3, elsewhere=True),
        HandedOver(1, BEDROOM, Ending.CANCELLED),
    ]
    closing = handing.state
    handing.rejected(3, 487, 6.1)
    assert (closing, handing.state) == (State.CLOSING, State.ENDED)


def test_who_may_hand_over_when(handing: Fork) -> None:
    assert not handing.hand_over(HALL, 5.1)  # it is being done
    handing.rejected(3, 603, 6.0)
    assert not handing.hand_over(KITCHEN, 6.1)  # to itself
    assert not Fork([KITCHEN], 0.0).hand_over(HALL, 1.0)  # nobody talks


def test_no_visitor_is_handed_over_without_end(handing: Fork) -> None:
    handing.rejected(3, 603, 6.0)
    for number in range(4, MAX_BRANCHES + 1):
        assert handing.hand_over(HALL, 6.0)
        handing.rejected(number, 603, 6.0)
    assert not handing.hand_over(HALL, 7.0)


@pytest.mark.parametrize(
    ("status", "ending"),
    [(486, Ending.BUSY), (603, Ending.DECLINED), (408, Ending.UNREACHABLE), (503, Ending.UNREACHABLE), (488, "failed")],
)
def test_what_a_final_response_means(fork: Fork, status: int, ending: str) -> None:
    fork.rejected(1, status, 1.0)
    assert endings(fork) == {KITCHEN: ending}


def test_an_unknown_branch_is_our_bug(fork: Fork) -> None:
    with pytest.raises(LocalProtocolError, match="no branch 9"):
        fork.provisional(9, 0.0)


class ForkMachine(RuleBasedStateMachine):
    """Two to six devices, every interleaving of what they and the visitor may do."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.fork = Fork([bytes([number]) for number in range(4)], 0.0)
        self.talking: set[int] = set()
        self.owed: set[int] = set()
        self.media: set[int] = set()
        self.answered: set[int] = set()
        self.dialogs: set[int] = set()
        self.offers = 0  # hand-overs of which nobody has told yet what became of them
        self._obey()

    branch = st.integers(min_value=1, max_value=12)

    def _obey(self) -> None:
        for command in drained(self.fork):
            match command:
                case Invite(number):
                    self.owed.add(number)
                case StartEarly(number):
                    self.media.add(number)
                case OpenTalk(number):
                    assert number in self.answered, "talk opens before an answer"
                    assert not self.talking, "two talk"
                    self.talking.add(number)
                    self.media.add(number)
                case CloseMedia(number):
                    self.media.discard(number)
                    self.talking.discard(number)
                case Bye(number):
                    self.owed.discard(number)
                    self.dialogs.discard(number)
                    assert number not in self.media
                case HandedOver():
                    self.offers -= 1

    def _tick(self, number: int = 1) -> int:
        """Time goes on; the branch that is meant by this number."""
        self.now += 0.01
        return 1 + (number - 1) % len(self.fork.branches)

    @rule(number=branch)
    def provisional(self, number: int) -> None:
        number = self._tick(number)
        if self.fork.branches[number].state is not branches.State.TALKING:
            self.fork.provisional(number, self.now)
        self._obey()

    @rule(number=branch)
    def early(self, number: int) -> None:
        number = self._tick(number)
        if self.fork.branches[number].state is not branches.State.TALKING:
            self.fork.early(number, self.now)
        self._obey()

    @rule(number=branch)
    def answer(self, number: int) -> None:
        number = self._tick(number)
        self.answered.add(number)
        self.dialogs.add(number)
        self.fork.answered(number, self.now)
        self._obey()

    @rule(number=branch, status=st.sampled_from([408, 480, 486, 487, 488, 503, 600, 603, 606]))
    def reject(self, number: int, status: int) -> None:
        number = self._tick(number)
        if self.fork.branches[number].state is not branches.State.TALKING:
            self.fork.rejected(number, status, self.now)
            self.owed.discard(number)
        self._obey()

    @rule(number=branch)
    def crash(self, number: int) -> None:
        number = self._tick(number)
        self.fork.peer_vanished(self.fork.branches[number].peer, self.now)
        self.owed.discard(number)
        self._obey()

    @rule(number=branch)
    def come_back(self, number: int) -> None:
        number = self._tick(number)
        self.fork.peer_appeared(self.fork.branches[number].peer, self.now)
        self._obey()

    @rule(number=branch)
    def remote_bye(self, number: int) -> None:
        number = self._tick(number)
        self.fork.bye(number, self.now)
        self.owed.discard(number)
        self.dialogs.discard(number)
        self._obey()

    @rule()
    def visitor_hangs_up(self) -> None:
        self._tick()
        self.fork.hang_up(self.now)
        self._obey()

    @rule()
    def press(self) -> None:
        self._tick()
        self.fork.press(self.now)
        self._obey()

    @rule(number=branch)
    def hand_over(self, number: int) -> None:
        number = self._tick(number)
        self.offers += self.fork.hand_over(self.fork.branches[number].peer, self.now)
        self._obey()

    @rule()
    def wait(self) -> None:
        self.now += HANDOVER_TIMEOUT
        self.fork.handle_timer(self.now)
        self._obey()

    @precondition(lambda self: self.now < 45)
    @rule()
    def time_out(self) -> None:
        self.now = 45.0
        self.fork.handle_timer(self.now)
        self._obey()

    @invariant()
    def one_winner_at_most(self) -> None:
        states = [branch.state for branch in self.fork.branches.values()]
        assert states.count(branches.State.TALKING) <= 1
        assert len(self.talking) <= 1
        rings = sum(branch.rings for branch in self.fork.branches.values())
        if self.fork.state is State.HANDOVER:
            assert (rings, len(self.talking)) == (1, 1)
        elif self.fork.state is not State.RINGING:
            assert rings == 0
        assert self.fork.talks == bool(self.talking)

    @invariant()
    def every_loser_ends(self) -> None:
        assert self.dialogs == self.talking

    @invariant()
    def what_becomes_of_a_hand_over_is_told(self) -> None:
        assert self.offers == (self.fork.state is State.HANDOVER)

    @invariant()
    def only_those_served_have_media(self) -> None:
        served = {branches.State.EARLY, branches.State.TALKING}
        for number in self.media:
            assert self.fork.branches[number].state in served

    def teardown(self) -> None:
        """Whatever happened, giving up and hearing the last responses ends everything."""
        self.now += 60.0
        self.fork.handle_timer(self.now)
        self.fork.hang_up(self.now)
        for branch in list(self.fork.branches.values()):
            self.fork.failed(branch.number, Ending.UNREACHABLE, self.now)
        assert self.fork.state is State.ENDED or not self.fork.branches
        assert self.fork.next_deadline() is None


TestForkMachine = ForkMachine.TestCase
TestForkMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
