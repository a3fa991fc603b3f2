"""What the judges of messages and of events have in common: counts, and the command line.

Each thing must be there as often as it was, no more and no less. Prints one JSON report; exit code
0: so it is, 1: it is not, 2: the evidence itself could not be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from checker import public_key
from ewcheck.faults import InputError, InvalidError
from ewcheck.receipt import key_id

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from ewcheck.batch import Keys

    Judged = Callable[[Path, Keys, Path], dict[str, object]]

SHOWN = 20
Thing = TypeVar("Thing", bound="tuple[int, ...]")


def compared(wanted: Counter[Thing], found: Counter[Thing]) -> dict[str, object]:
    """Return how many of what was wanted are lost or there too often, and how many are invented."""
    lost = sorted((wanted - found).elements())
    twice = sorted(one for one in (found - wanted).elements() if one in wanted)
    invented = sorted(one for one in found if one not in wanted)
    return {
        "found": found.total(),
        "lost": len(lost),
        "twice": len(twice),
        "invented": len(invented),
        "shown": [list(one) for one in (lost + twice + invented)[:SHOWN]],
    }


def command(
    judged: Judged, option: str, what: str, about: str | None, arguments: Sequence[str] | None
) -> int:
    """Judge as the arguments say, print the report and return the exit code."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("centre", type=Path, help="the centre's SQLite file")
    parser.add_argument("--key", type=Path, required=True, help="public key of the gateway")
    parser.add_argument(option, dest="record", type=Path, required=True, help=what)
    options = parser.parse_args(arguments)
    try:
        key = public_key(options.key)
        report = judged(options.centre, {key_id(key): key}, options.record)
    except InvalidError as error:
        report = {"invalid": str(error)}
    except (InputError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(report) + "\n")
    is_right = not any(report.get(key, 1) for key in ("lost", "twice", "invented"))
    return 0 if is_right else 1
