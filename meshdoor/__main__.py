"""`python -m meshdoor` is `meshdoor`."""

from __future__ import annotations

import sys

from meshdoor.cli import main

if __name__ == "__main__":
    sys.exit(main())
