"""`central-sync archive export` and `verify`, as their users call them."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from central_sync.cli import main
from central_sync.proofs.archive import LOG_KEY
from tests.central_sync.audit.records import line_files
from tests.central_sync.furnished import chain_of

# What the base install and pyarrow bring; everything else the auditor must do without.
ALLOWED = ("cryptography", "numpy", "zstandard", "pyarrow", "cffi", "_cffi_backend")
BLOCKED = """
import sys
allowed = {allowed!r}
standard = sys.stdlib_module_names
class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        ours = name.startswith(("central_sync.store", "central_sync.app", "central_sync.config"))
        known = top in standard or top in allowed or top in ("central_sync", "edge_agent")
        if ours or not known:
            raise ModuleNotFoundError(f"{{name}} is not there", name=name)
sys.meta_path.insert(0, Blocked())
from central_sync.cli import main
sys.exit(main(["verify", sys.argv[1], "--json"]))
"""


def export(state: Path, target: Path, *words: str) -> int:
    """Call the command."""
    return main(["archive", "--state", str(state), "export", str(target), *words])


@pytest.mark.parametrize("name", ["archive", "archive.tar"])
def test_what_is_exported_verifies(
    state: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(state, tmp_path / name) == 0
    assert "23 batches of 2 chains, 1 configurations, 1 profiles" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / name)]) == 0
    told = capsys.readouterr().out
    assert told.endswith("PASS\n")
    assert "taken from the archive itself" in told
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize(
    ("words", "chains"),
    [
        (["--gateway", str(chain_of(1).gateway_id)], 1),
        (["--from", "2026-11-20T10:00:05Z", "--to", "2026-11-20T10:00:09Z"], 2),
        (["--from", "2027-01-01T00Z"], 0),
        (["--gateway", "00000000-0000-4000-8000-000000000000"], 0),
    ],
)
def test_a_part_of_the_record_verifies_too(
    state: Path,
    tmp_path: Path,
    words: list[str],
    chains: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert export(state, tmp_path / "archive", *words, "--json") == 0
    assert json.loads(capsys.readouterr().out)["chains"] == chains
    assert main(["verify", str(tmp_path / "archive"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["passed"]
    assert facts["counts"]["chains"] == chains
    assert facts["counts"]["log_entries"] < facts["counts"]["log_size"]


def test_an_archive_of_one_gateway_says_nothing_of_others(state: Path, tmp_path: Path) -> None:
    one, other = chain_of(1).gateway_id, chain_of(2).gateway_id
    export(state, tmp_path / "archive", "--gateway", str(one))
    octets = b"".join(p.read_bytes() for p in (tmp_path / "archive").rglob("*") if p.is_file())
    assert str(one).encode() in octets
    assert str(other).encode() not in octets
    assert other.bytes not in octets


def test_a_dry_run_writes_nothing(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(state, tmp_path / "archive", "--dry-run") == 0
    assert "2 chains; nothing was written" in capsys.readouterr().out
    assert export(state, tmp_path / "archive", "--dry-run", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["chains"]) == 2
    assert not (tmp_path / "archive").exists()


def test_an_archive_is_never_written_over(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "archive").mkdir()
    assert export(state, tmp_path / "archive") == 1
    assert "is there already" in capsys.readouterr().err


def test_what_was_left_unfinished_is_begun_anew(state: Path, tmp_path: Path) -> None:
    unfinished = tmp_path / "archive.unfinished"
    unfinished.mkdir()
    (unfinished / "rubbish").write_text("x")
    assert export(state, tmp_path / "archive") == 0
    assert main(["verify", str(tmp_path / "archive")]) == 0


def test_a_changed_byte_fails_with_exit_code_65(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(state, tmp_path / "archive")
    path = line_files(tmp_path / "archive")[0]
    octets = bytearray(path.read_bytes())
    octets[500] ^= 1
    path.write_bytes(octets)
    assert main(["verify", str(tmp_path / "archive")]) == 65
    told = capsys.readouterr().out
    assert "FAIL: record 0 of chain" in told
    assert main(["verify", str(tmp_path / "archive"), "--signatures-only"]) == 65


def test_signatures_alone_are_verified_faster_and_say_so(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(state, tmp_path / "archive")
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "archive"), "--signatures-only"]) == 0
    assert "readings were not unpacked, as asked: 23 batches" in capsys.readouterr().out


def test_the_log_key_may_be_given_as_text_or_as_file(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(state, tmp_path / "archive")
    file = tmp_path / "archive" / LOG_KEY
    for given in (str(file), file.read_text().strip()):
        assert main(["verify", str(tmp_path / "archive"), "--log-key", given]) == 0
        assert "taken from the archive" not in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "archive"), "--log-key", "nonsense"]) == 2


@pytest.mark.parametrize("place", [0, 100, 156, 300, 511, -1, -1024])
def test_the_framing_of_a_tar_file_is_held_to_one_form(
    state: Path, tmp_path: Path, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    export(state, tmp_path / "archive.tar")
    octets = bytearray((tmp_path / "archive.tar").read_bytes())
    octets[place] ^= 1
    (tmp_path / "archive.tar").write_bytes(octets)
    assert main(["verify", str(tmp_path / "archive.tar")]) == 65
    assert "FAIL" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"nonsense", bytes(1024)])
def test_what_is_no_archive_is_told(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "archive"
    if content is not None:
        path.write_bytes(content)
    assert main(["verify", str(path)]) == 65
    told = capsys.readouterr()
    assert "cannot be read" in told.err or "FAIL" in told.out


def test_the_auditor_needs_what_the_wire_needs_and_pyarrow(state: Path, tmp_path: Path) -> None:
    export(state, tmp_path / "archive")
    script = BLOCKED.format(allowed=ALLOWED)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "archive")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passed"]


def test_a_log_that_cannot_be_vouched_for_is_not_exported(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(state, tmp_path / "first") == 0
    key = (state / "log.key").read_bytes()
    other = sqlite3.connect(state / "centre.db")
    other.execute("update log_entry set entry = x'03' where id = 0")
    other.commit()
    other.close()
    assert export(state, tmp_path / "second") == 65
    assert "the log cannot be vouched for" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()
    assert (state / "log.key").read_bytes() == key
