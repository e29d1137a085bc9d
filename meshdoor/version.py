"""The version of this software, apart from the package itself so that everyone may import it."""

__version__ = "0.1.0"
