"""How much is fuzzed: `FUZZ_CASES=500 FUZZ_SEED=7 python -m pytest -m slow tests/fuzz`."""

from __future__ import annotations

import os

CASES = int(os.environ.get("FUZZ_CASES", "60"))
"""Of every class of files; other tests do a fixed share of it."""
SEED = int(os.environ.get("FUZZ_SEED", "0"))
"""Another seed, other cases; the same seed and number, the same case."""
