"""Makes the helpers of the campaigns importable as they are when campaign.py is run."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
