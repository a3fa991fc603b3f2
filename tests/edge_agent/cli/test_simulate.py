"""`edge-agent simulate` as a person uses it: a device of a profile, by flags or by a file."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.cli import simulate
from edge_agent.errors import ExitCode, OperatorError

LIMIT_S = 30

DEVICE = """\
name = "analyzer 1"
profile = "sick/gm32"
endpoint = "{endpoint}"
unit_id = 7
word_order = "CDAB"
addressing = "one_based"
{more}
[[channels]]
number = 1
point = "component.3.value"
name = "ammonia"
parameter = "NH3"
unit_of_measure = "mg/m3"
"""


@contextmanager
def simulated(*words: str, line_count: int = 2) -> Iterator[Sequence[str]]:
    """Run the command until the end of the block; yields its first lines."""
    command = [sys.executable, "-m", "edge_agent", "simulate", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        try:
            yield [process.stdout.readline().rstrip() for _ in range(line_count)]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT_S) == 0


def test_a_profile_is_served_and_what_was_settled_is_said() -> None:
    flags = ("--word-order", "CDAB", "--addressing", "one_based", "--scenario", "drift")
    with simulated("--profile", "sick/gm32", "--port", "0", *flags) as (first, second):
        assert re.fullmatch(r"drift: 127\.0\.0\.1, ports \d+", first)
        assert second == "sick/gm32, number 1, one_based, CDAB"


def test_a_device_is_simulated_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "analyzer.toml"
    file.write_text(DEVICE.format(endpoint="tcp://10.1.2.3:502", more=""))
    with simulated("--like", str(file), "--port", "0") as (first, second):
        assert re.fullmatch(r"normal: 127\.0\.0\.1, ports \d+", first)
        assert second == "sick/gm32, number 7, one_based, CDAB"


def test_a_device_with_a_serial_port_in_its_file_gets_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "analyzer.toml"
    line = 'serial = { baud = 9600, parity = "none" }'
    file.write_text(DEVICE.format(endpoint="serial:///dev/ttyUSB0", more=line))
    with simulated("--like", str(file)) as (first, _):
        assert re.fullmatch(r"normal: serial ports /dev/pts/\d+", first)


def test_the_assignment_is_said_component_by_component() -> None:
    flags = ("--word-order", "ABCD", "--addressing", "zero_based", "--port", "0")
    assigned = ("--assign", "component.2.value=HCl")
    with simulated("--profile", "sick/gm32", *flags, *assigned, line_count=5) as lines:
        assert lines[2:] == [
            "  component.1.value: NOx, ppm",
            "  component.2.value: HCl, 1",
            "  component.3.value: CO, ppm",
        ]


REFUSED = [
    (("--profile", "sick/gm32"), ExitCode.USAGE, ["--word-order with one of", "--addressing with"]),
    (
        ("--profile", "sick/gm23"),
        ExitCode.CONFIGURATION,
        ["no such profile. Did you mean 'sick/gm"],
    ),
    (("--profile", "suto/s430", "--unit-id", "300"), ExitCode.USAGE, ["Write 0 to 255"]),
    (("--like", "/nowhere/x.toml"), ExitCode.CONFIGURATION, ["/nowhere/x.toml"]),
]


@pytest.mark.parametrize(("words", "code", "said"), REFUSED)
def test_what_cannot_be_simulated_is_told_all_at_once(
    words: tuple[str, ...], code: ExitCode, said: list[str]
) -> None:
    with pytest.raises(OperatorError) as caught:
        simulate.main(words)
    assert caught.value.exit_code is code
    assert len(caught.value.problems) == len(said)
    for problem, expected in zip(caught.value.problems, said, strict=True):
        assert expected in problem


def test_the_mistakes_of_a_devices_file_are_told_as_by_check(tmp_path: Path) -> None:
    file = tmp_path / "analyzer.toml"
    file.write_text(DEVICE.format(endpoint="tcp://10.1.2.3", more="").replace("NH3", ""))
    with pytest.raises(OperatorError) as caught:
        simulate.main(["--like", str(file)])
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert all(str(file) in problem for problem in caught.value.problems)
    file.write_text(DEVICE.format(endpoint="tcp://10.1.2.3", more="").replace("CDAB", "unknown"))
    with pytest.raises(OperatorError, match="unknown confirms nothing"):
        simulate.main(["--like", str(file)])


CONTRADICTIONS = [
    (("--protocol", "bayern_hessen", "--rtu"), "bayern_hessen does not go over rtu+tcp"),
    (("--protocol", "mqtt", "--serial"), "mqtt does not go over serial"),
    (("--profile", "suto/s430", "--protocol", "mqtt"), "suto/s430 speaks modbus: leave --protocol"),
    (("--profile", "suto/s430", "--like", "x"), "not allowed with argument"),
    (("--rtu", "--serial"), "not allowed with argument"),
    (("--like", "x", "--unit-id", "3"), "leave the other flags"),
    (("--profile", "sick/gm32", "--assign", "component.1.value"), "write POINT=PARAMETER"),
    (("--profile", "sick/gm32", "--word-order", "ADCB"), "invalid choice: 'ADCB' (choose from"),
]


@pytest.mark.parametrize(("words", "said"), CONTRADICTIONS)
def test_flags_that_contradict_one_another_are_told(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        simulate.main(words)
    assert caught.value.code == ExitCode.USAGE
    assert said in capsys.readouterr().err
