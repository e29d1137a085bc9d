"""`python -m benchmarks [NAME ...]`: the benches of these names, or all."""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys
import time
from types import ModuleType

import benchmarks
from benchmarks.harness import Table


def benches() -> dict[str, ModuleType]:
    """The modules here that have a function `bench`."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__")
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "bench")}


def main() -> int:
    known = benches()
    wanted = sys.argv[1:] or list(known)
    if set(wanted) - set(known):
        for name, module in known.items():
            print(f"{name:12} {(module.__doc__ or '').splitlines()[0]}")
        return 0 if wanted == ["--list"] else 2
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}\n")
    for name in wanted:
        began = time.monotonic()
        table: Table
        for table in known[name].bench():
            print(table, flush=True)
            print()
        print(f"({name}: {time.monotonic() - began:.0f} s)\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
