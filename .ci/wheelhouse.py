"""Builds a folder from which a gateway is installed without internet: `make wheelhouse`.

In it are the product's wheel, every wheel it needs as pinned with hashes, pip itself, the service
unit and the script `install`; SHA256SUMS names every file. It is for one machine and one Python.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PINS: Final = ROOT / ".ci" / "requirements"
# What the product's wheel is made of; a copy, so that no older build leaves anything in it.
SOURCES: Final = ("edge_agent", "central_sync", "firmware_profiles")
BUILD_FILES: Final = ("pyproject.toml", "README.md", "LICENSE")
# A wheel runs where glibc is at least what its tag says. Debian 12 has 2.36.
GLIBC: Final = ("2_36", "2_35", "2_34", "2_31", "2_28", "2_27", "2_17", "2_5")
# The same sources give the same wheel: every file in it has the first date that a zip file knows.
BUILT_AT: Final = "315532800"
HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def main() -> int:
    """Build the folder and say where it is, and the digest of its list."""
    parser = argparse.ArgumentParser(description=__doc__)
    machines = ("x86_64", "aarch64")
    parser.add_argument("--machine", choices=machines, default=platform.machine())
    parser.add_argument("--out", type=Path, help="the folder; replaced if it is a wheelhouse")
    known = parser.parse_args()
    product = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = f"{product['name']}-{product['version']}-{known.machine}-python{HERE}"
    folder: Path = known.out or ROOT / "dist" / name
    _begin(folder)
    built = _product_wheel(folder)
    _dependencies(folder, known.machine)
    own = f"{product['name']}=={product['version']} --hash=sha256:{_sha256(built)}\n"
    pins = (PINS / "edge.txt").read_text(encoding="utf-8")
    (folder / "requirements.txt").write_text(pins + own, encoding="utf-8")
    (folder / "wheelhouse.txt").write_text(
        f"version={product['version']}\nmachine={known.machine}\npython={HERE}\n", encoding="utf-8"
    )
    for path in (ROOT / "systemd").iterdir():
        if not path.name.startswith("central-sync"):
            shutil.copy(path, folder)
    digest = write_list(folder)
    print(f"{folder}: {sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.0f} MB")
    print(f"sha256 of its SHA256SUMS: {digest}")
    return 0


def write_list(folder: Path) -> str:
    """Write SHA256SUMS over every other file of a wheelhouse; return the digest of the list."""
    paths = sorted(path for path in folder.iterdir() if path.name != "SHA256SUMS")
    text = "".join(f"{_sha256(path)}  {path.name}\n" for path in paths)
    (folder / "SHA256SUMS").write_text(text, encoding="utf-8")
    return _sha256(folder / "SHA256SUMS")


def _begin(folder: Path) -> None:
    """Make the folder anew; refuse to delete one that is something else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "SHA256SUMS").exists():
        raise SystemExit(f"{folder}: there are files, and it is no wheelhouse. Name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _product_wheel(folder: Path) -> Path:
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for name in SOURCES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        for name in BUILD_FILES:
            shutil.copy(ROOT / name, copy)
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(copy))
    (built,) = folder.glob("*.whl")
    return built


def _dependencies(folder: Path, machine: str) -> None:
    """Fetch what is pinned, as wheels only: nothing is compiled at a plant."""
    target = [f"--platform=manylinux_{version}_{machine}" for version in GLIBC]
    # pip counts an old name as a platform of its own.
    target += [f"--platform=manylinux2014_{machine}", f"--python-version={HERE}"]
    _pip(
        *("download", "--no-deps", "--only-binary=:all:", "--require-hashes"),
        *(*target, "--dest", str(folder)),
        *("--requirement", str(PINS / "edge.txt"), "--requirement", str(PINS / "installer.txt")),
    )


def _pip(*words: str) -> None:
    command = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words)
    subprocess.run(command, check=True, env=os.environ | {"SOURCE_DATE_EPOCH": BUILT_AT})


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
