from meshdoor.sip.phrases import phrase


def test_phrases() -> None:
    assert phrase(486) == "Busy Here"
    assert phrase(499) == "Bad Request"
    assert phrase(700) == "Unknown"
