"""SDP (RFC 8866) without IO: descriptions kept to the byte, offers and answers (RFC 3264), keys (RFC 4568).

    offer = make_offer(plan)                         what we send with an INVITE
    answer = answer_offer(offer, capabilities)       the answer to theirs, and the tracks agreed on
    tracks = apply_answer(plan, answer)              the tracks agreed on once theirs is here
"""
