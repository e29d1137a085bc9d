"""Who is rung, who wins, and what is written down of it: policy, with no SIP message and no socket in it (sans-IO).

A *press* makes a `Fork`; the fork has one `Branch` for each device that it rings. A screen has `Visitors`, one
`Incoming` for each door that rings there. Whatever else two devices do is a `Call`; who may do what is in `plan`.
These are state machines whose transitions are tables (docs/state-machines.md is drawn from them). Inputs are what
happened; outputs are commands or orders for whoever speaks SIP and moves media.
"""
