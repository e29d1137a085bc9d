"""Putting Meshdoor on a machine for good, and taking it away again: `meshdoor install` and `meshdoor uninstall`.

    plan      which steps a wish comes to, in their order
    steps     one class a kind of step: a file, the packages, the user, ...; each knows whether there is anything to do
    program   the step that builds the program's own Python environment under /opt/meshdoor
    removal   the steps of `uninstall`
    system    the machine: its root directory, its commands, who owns what

A step that is done already does nothing, so that everything can be run again; `--dry-run` asks without doing. What is
written to a machine lies in `services/` of the repository. Nothing here needs more than Python's own library.
"""
