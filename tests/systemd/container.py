"""A Debian that boots its own systemd, in a container with nothing but a loopback network.

Made of layers: a root file system as debootstrap gives it (made once and kept), what a test adds
to it, and what the test itself changes, which is gone afterwards. Needs root.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.system.installation import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEPT = Path("/var/tmp/emissionwatch-edge-containers")  # noqa: S108 - root's own, mode 0700
# The Debian whose Python is ours, because the wheelhouse is built by ours.
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
SUITE = SUITES.get(sys.version_info[:2])
# What every Debian has, systemd, and the one thing that a gateway needs besides.
PACKAGES = "systemd,systemd-sysv,dbus,python3"
PROGRAMS = ("systemd-nspawn", "debootstrap", "nsenter", "setpriv", "mount", "umount")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}
# No package mends that, so that CI may skip for it (tests/conftest.py).
FORBIDDEN = "this machine forbids containers"
BOOT_LIMIT_S = 30.0
COMMAND_LIMIT_S = 90.0
# EXIT_FORCE_RESTART: with --keep-unit it is whoever started nspawn that boots again.
WANTS_REBOOT = 133


def missing() -> str:
    """Return why there can be no container here; nothing if there can."""
    if os.geteuid() != 0:
        return "booting systemd in a container needs root"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)}: not found: make system-packages"
    if SUITE is None:
        return f"no Debian has Python {sys.version_info.major}.{sys.version_info.minor}"
    apart = ("unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "it", "/mnt")
    done = subprocess.run(apart, capture_output=True, text=True, check=False, timeout=30)
    return f"{FORBIDDEN}: {done.stderr.strip()}" if done.returncode else ""


def root_file_system() -> Path:
    """Return the bottom layer; makes it where it is not kept yet (a minute, from the mirror)."""
    assert SUITE is not None
    recipe = f"{SUITE} {PACKAGES}"
    kept = KEPT / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not kept.exists():
        KEPT.mkdir(mode=0o700, exist_ok=True)
        making = KEPT / f".{kept.name}.{os.getpid()}"
        made = subprocess.run(
            [
                "debootstrap",
                "--variant=minbase",
                f"--include={PACKAGES}",
                SUITE,
                making,
                *_mirror(),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert made.returncode == 0, made.stdout[-2000:]
        shutil.rmtree(making / "var/cache/apt/archives")
        making.rename(kept)
    return kept


def _mirror() -> tuple[str, ...]:
    """Return the mirror that this machine itself is installed from, if it has this Debian."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    found = [line.split()[0] for line in targets.stdout.splitlines() if line.endswith(f" {SUITE}")]
    return tuple(found[:1])


@dataclass
class Container:
    """One booted container; powered off and unmounted at the end of its `with` block.

    Attributes:
        layers: read-only file systems, the uppermost first.
        folder: its own; what it changes is in `folder / "changed"`, a layer for others.
        shown: folders of this machine that it can read, by the paths that they have there.
        network: a network namespace that it shares; None: one of its own, a loopback alone.

    """

    layers: Sequence[Path]
    folder: Path
    shown: Mapping[str, Path] = field(default_factory=dict)
    network: Path | None = None
    nspawn: subprocess.Popen[bytes] = field(init=False)

    @property
    def root(self) -> Path:
        """Its file system, as this machine sees it: put files here."""
        return self.folder / "root"

    def __enter__(self) -> Self:
        """Mount and boot."""
        for name in ("changed", "work", "root"):
            (self.folder / name).mkdir(parents=True)
        lower = ":".join(map(str, self.layers))
        options = f"lowerdir={lower},upperdir={self.folder}/changed,workdir={self.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "none", self.root], check=True)
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Power off in an orderly way, or else kill; unmount."""
        if hasattr(self, "nspawn"):
            self.nspawn.terminate()  # nspawn passes it on as an order to power off
            with suppress(subprocess.TimeoutExpired):
                self.nspawn.wait(BOOT_LIMIT_S)
            self.nspawn.kill()
            self.nspawn.wait()
        subprocess.run(["umount", self.root], check=True)

    def run(self, *command: str) -> str:
        """Run a command inside, as root; return what it printed. AssertionError if it fails."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside that may fail."""
        inside = ("nsenter", f"--target={self._leader()}", "--mount", "--uts", "--ipc", "--net")
        return subprocess.run(
            (*inside, "--pid", "--cgroup", "--", *command),
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            check=False,
            timeout=COMMAND_LIMIT_S,
        )

    def reboot(self) -> None:
        """Boot again, as after `reboot`."""
        self.attempt("systemctl", "reboot")
        code = self.nspawn.wait(BOOT_LIMIT_S)
        assert code == WANTS_REBOOT, code
        self._boot()

    def cut_power(self) -> None:
        """End everything in it at once, as a power cut does, and boot again.

        What had not reached the disk is still there: tests/faults/powercut.py is for that.
        """
        os.kill(int(self._leader()), signal.SIGKILL)
        self.nspawn.wait(BOOT_LIMIT_S)
        self._boot()

    def service(self, what: str, unit: str = "edge-agent.service") -> str:
        """Return a property of a service."""
        return self.run("systemctl", "show", "--property", what, "--value", unit).strip()

    def _boot(self) -> None:
        network = f"--network-namespace-path={self.network}" if self.network else ""
        with (self.folder / "console").open("ab") as console:
            self.nspawn = subprocess.Popen(
                (
                    # However these tests end, the container ends with them.
                    *("setpriv", "--pdeathsig", "KILL"),
                    *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"),
                    *(network or "--private-network", "--machine=gateway"),
                    f"--directory={self.root}",
                    *(f"--bind-ro={path}:{there}" for there, path in self.shown.items()),
                ),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until("the container's boot", self._is_up, limit_s=BOOT_LIMIT_S)

    def _is_up(self) -> bool:
        assert self.nspawn.poll() is None, (self.folder / "console").read_text()[-2000:]
        if not self._leader():
            return False
        # Waits for the end of the boot, once somebody is there to ask.
        told = self.attempt("systemctl", "is-system-running", "--wait").stdout.strip()
        return told in {"running", "degraded"}

    def _leader(self) -> str:
        """Return the process id of its systemd, as this machine counts; empty at first."""
        children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children")
        return children.read_text().strip().partition(" ")[0]
