"""Who is rung, who wins, and what is written down of it: policy, with no SIP message and no socket in it (sans-IO).

A *press* makes a `Fork`; the fork has one `Branch` for each device that it rings. Both are state machines whose
transitions are tables (docs/state-machines.md is drawn from them). Inputs are what happened to a branch; outputs are
commands for whoever speaks SIP and moves media.
"""
