"""Reads the configuration in a process of its own, beside whatever the caller does meanwhile.

Reading 25,000 channels takes 100 MB and libraries that nothing else in the agent needs; a process
that ends gives all of it back. What comes over the pipe was made by this same program.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from edge_agent.config.plan import Plan
from edge_agent.config.problem import ConfigurationError


class Reading:
    """A configuration that is being read, from the moment on that this object is made."""

    def __init__(
        self,
        agent_toml: Path,
        overrides: Mapping[str, str | int | bool],
        *,
        at_start: bool = False,
    ) -> None:
        """Begin to read; `config.loading.load_plan` says what the first arguments are.

        At a start the edition that was accepted stands in for one that was rolled back
        (`config.editions.plan_at_start`).
        """
        arguments = (str(agent_toml), json.dumps(dict(overrides)), json.dumps(at_start))
        self.software = ""
        """What of this product is installed; known with the plan.

        Looking it up takes twelve modules: they too end with the process.
        """
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter and this module
            (sys.executable, "-m", __name__, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    def plan(self) -> Plan:
        """Return what was read; waits for it.

        Raises:
            ConfigurationError: with every problem of every file.
            RuntimeError: the process failed; it has said why.

        """
        told, _ = self._process.communicate()
        if self._process.returncode:
            code = self._process.returncode
            raise RuntimeError(f"reading the configuration ended with code {code}")
        match pickle.loads(told):  # noqa: S301 - see the module
            case Plan() as plan, str() as software:
                self.software = software
                return plan
            case ConfigurationError() as error, _:
                raise error
            case other:
                raise TypeError(f"{type(other).__name__}: no plan")


def main() -> None:
    """Read what the arguments name, and write the plan or the error to standard output."""
    # Only here: who waits for the plan needs nothing of this.
    from importlib.metadata import version  # noqa: PLC0415 - see above

    from edge_agent.config.editions import plan_at_reload, plan_at_start  # noqa: PLC0415 - see above

    agent_toml, overrides, at_start = sys.argv[1:]
    read = plan_at_start if json.loads(at_start) else plan_at_reload
    told: Plan | ConfigurationError
    try:
        told = read(Path(agent_toml), environ=os.environ, overrides=json.loads(overrides))
    except ConfigurationError as error:
        told = error
    pickle.dump((told, version("emissionwatch-edge")), sys.stdout.buffer)


if __name__ == "__main__":
    main()
