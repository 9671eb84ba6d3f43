"""What Korthals et al. 2019 found."""

from __future__ import annotations

PUBLISHED = {"entangled": -199.23, "mixed": -204.48}
"""Joint bounds of JMVAE by set of pairs (figure 1), of grey pixels scored by cross-entropy."""
