"""The settings of each theme: one frozen dataclass a file, joined in `meshdoor.config`."""
