"""Writes the vectors of docs/wire-format.md section 14: `python -m tests.vectors.make`.

The same bytes on every machine and for ever; tests/vectors/test_vectors.py holds the committed
files to them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.vectors import damaged, damaged_content, good

FOLDER: Final = Path(__file__).parent


def files() -> Mapping[Path, str]:
    """Return the text of every vector by its path in this folder."""
    return {
        Path(kind, f"{name}.json"): json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for kind, documents in (
            ("good", good.documents()),
            ("damaged", damaged.documents()),
            ("damaged", damaged_content.documents()),
        )
        for name, document in documents.items()
    }


def main() -> None:
    """Write the vectors, and remove those that no longer are."""
    wanted = files()
    for path in FOLDER.glob("*/*.json"):
        if path.relative_to(FOLDER) not in wanted:
            path.unlink()
    for path, text in wanted.items():
        (FOLDER / path).parent.mkdir(exist_ok=True)
        (FOLDER / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
