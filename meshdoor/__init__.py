"""A zero-config home video intercom mesh for Raspberry Pis."""

__version__ = "0.1.0"
