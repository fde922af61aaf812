"""pyarrow without pandas, in a process of its own, as pandas stays loaded once it is."""

import subprocess
import sys

import pytest

pytest.importorskip("pandas", reason="needs the extra forecasting")
ARRAYS = """
import sys
import pyarrow as pa
from orchestrator.lean_arrow import keep_pandas_out
if {lean}:
    keep_pandas_out()
    keep_pandas_out()
array = pa.array([1.0, None, 3.0])
assert array.to_pylist() == [1.0, None, 3.0]
print("pandas" in sys.modules)
import pandas as pd
assert list(pa.array(pd.Series([1.0, 2.0]))) == [pa.scalar(1.0), pa.scalar(2.0)]
assert pa.table({{"a": array}}).to_pandas()["a"].sum() == 4.0
assert pd.Series(["a", None], dtype="str").isna().tolist() == [False, True]
"""


@pytest.mark.parametrize("lean", [True, False])
def test_pandas_is_not_loaded_unless_asked_for_and_works_with_arrow_then(lean):
    ran = subprocess.run(
        [sys.executable, "-c", ARRAYS.format(lean=lean)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(not lean)
