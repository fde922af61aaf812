"""Run all benchmarks, or those named: ``python -m benchmarks [name …] [--json]``.

A benchmark is a file of this folder with a function ``run() -> dict`` of figures by name.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from typing import Any

import benchmarks


def names() -> list[str]:
    """All benchmarks of this folder."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def main() -> int:
    """Run, print, and return 1 when a benchmark misses its budget."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(names()))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    unknown = set(given.names) - set(names())
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    figures: dict[str, dict[str, Any]] = {}
    for name in given.names or names():
        sys.stderr.write(f"{name} …\n")
        figures[name] = importlib.import_module(f"benchmarks.{name}").run()
        if not given.json:
            print(name)
            for what, value in figures[name].items():
                print(f"  {what:<58} {_shown(value)}")
    if given.json:
        print(json.dumps(figures, indent=2))
    return int(any(result.get("within budget") is False for result in figures.values()))


def _shown(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
