"""Makes `ewcheck`, `checker` and `forge` importable as they are when checker.py is run."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
