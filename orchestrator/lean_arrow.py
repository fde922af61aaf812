"""pyarrow without the pandas that it imports, where it is installed, for its first array."""

from __future__ import annotations

import sys
from functools import cache


@cache
def keep_pandas_out() -> None:
    """Let pyarrow take pandas for absent: a second of processor time and some 60 MB in each process.

    Code that imports pandas itself gets it, and ``to_pandas`` still works.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    sys.modules["pandas"] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        pa.array([])
    finally:
        del sys.modules["pandas"]
