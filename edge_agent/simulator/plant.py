"""The plant: a boiler's stack and its analyzers, as a pure function of seed, scenario and time.

`Plant.truth` is what leaves the stack; `Plant.indicated` is what the analyzers say about it. Both
are needed to judge the product: a drifting analyzer is wrong, and a gateway must pass on its words.

A coal-fired unit of 300 MW whose load follows the hour of the day (UTC), with AR(1) noise on load
and emissions and white noise on every reading. It burns from the moment the simulation starts.

The scenarios, with t in seconds since the start:
  normal       nothing happens.
  exceedance   from t = 30 on the true NOx is `EXCEEDANCE_FACTOR` times what it would be, and the
               true opacity `EXCEEDANCE_OPACITY_PCT` higher; the analyzers are right.
  failure      in every `FAILURE_CYCLE_S`: from 30 to 60 the gas analyzer's pump stands still: it
               reports a failure and reads ambient air; from 90 to 100 the device does not answer.
  drift        NOx and O2 are read `DRIFT_PER_S` of their value too high for every second since the
               start; in every `CHECK_CYCLE_S` the analyzer is in its zero check from 540 to 560 and
               in its span check from 560 to 580, and then reads the gas, with its drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import pi, sin
from typing import Final

from edge_agent.simulator.noise import red, white

NS_PER_S: Final = 1_000_000_000

CAPACITY_MW: Final = 300.0
HEAT_RATE_MMBTU_PER_MWH: Final = 9.5  # of an ordinary pulverised-coal unit
# 40 CFR Part 75, Appendix F, section 3.3.5, Table 1, bituminous coal: dry flue gas without excess
# air (dscf/mmBtu), and the carbon dioxide in it (scf/mmBtu).
FACTOR_FD: Final = 9780.0
FACTOR_FC: Final = 1800.0
# 40 CFR Part 60, Appendix A-7, Method 19: oxygen of ambient air, percent dry.
AIR_O2_PCT: Final = 20.9
MOISTURE_FRACTION: Final = 0.09
REFERENCE_O2_PCT: Final = 5.0

EXCEEDANCE_FROM_S: Final = 30.0
EXCEEDANCE_FACTOR: Final = 3.0
EXCEEDANCE_OPACITY_PCT: Final = 30.0

FAILURE_CYCLE_S: Final = 120.0
PUMP_STANDS_S: Final = (30.0, 60.0)
SILENT_S: Final = (90.0, 100.0)

DRIFT_PER_S: Final = 1e-5  # 3.6 percent an hour: a week's drift of a bad analyzer
CHECK_CYCLE_S: Final = 600.0
ZERO_CHECK_S: Final = (540.0, 560.0)
SPAN_CHECK_S: Final = (560.0, 580.0)
SPAN_GAS: Final = {"NOx": 400.0, "SO2": 800.0, "CO": 400.0, "O2": 21.0, "CO2": 16.0}
ZERO_GAS: Final = dict.fromkeys(SPAN_GAS, 0.0)
AIR: Final = {**ZERO_GAS, "O2": AIR_O2_PCT, "CO2": 0.04}
# The parameters that the gas analyzer measures, and those of them that it reads with a drift.
GASES: Final = frozenset(SPAN_GAS)
DRIFTING: Final = ("NOx", "O2")

# One standard deviation of a reading around the truth, in the parameter's unit of measure.
READING_NOISE: Final = {
    "NOx": 0.6,
    "SO2": 0.5,
    "CO": 0.4,
    "O2": 0.02,
    "CO2": 0.03,
    "flow": 150_000.0,
    "temperature": 0.2,
    "opacity": 0.1,
    "load": 0.1,
}


class Scenario(StrEnum):
    """What happens at the plant (see the head of this module)."""

    NORMAL = "normal"
    EXCEEDANCE = "exceedance"
    FAILURE = "failure"
    DRIFT = "drift"


class Phase(StrEnum):
    """What the gas analyzer is doing."""

    MEASURING = "measuring"
    ZERO_CHECK = "zero_check"
    SPAN_CHECK = "span_check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What an analyzer says of itself.

    Attributes:
        phase: what it is doing.
        has_failed: whether it reports a failure.

    """

    phase: Phase = Phase.MEASURING
    has_failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Indication:
    """What the analyzers say at one moment.

    Attributes:
        values: parameter -> reading, in the parameter's unit of measure.
        phase: of the gas analyzer.
        has_failed: whether the gas analyzer reports a failure.

    """

    values: Mapping[str, float]
    phase: Phase
    has_failed: bool

    @property
    def condition(self) -> Condition:
        """What the gas analyzer says of itself."""
        return Condition(phase=self.phase, has_failed=self.has_failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One stack.

    Attributes:
        seed: another seed, another course of the same kind.
        scenario: what happens.
        started_ns: when the simulation started, UTC ns; the unit burns from then on.

    """

    seed: int
    scenario: Scenario
    started_ns: int

    def truth(self, at_ns: int) -> dict[str, float]:
        """Return parameter -> true value, in ppm, pct, scfh, degC, MW; operating is 0 or 1."""
        if at_ns < self.started_ns:
            cold = dict.fromkeys(READING_NOISE, 0.0)
            return {
                **cold,
                "O2": AIR_O2_PCT,
                "CO2": AIR["CO2"],
                "temperature": 25.0,
                "operating": 0.0,
            }
        at_s = at_ns / NS_PER_S
        load_mw = CAPACITY_MW * self._load_fraction(at_s)
        o2_pct = 7.5 - 2.8 * load_mw / CAPACITY_MW + 0.15 * self._noise("O2", at_s)
        undiluted = (AIR_O2_PCT - o2_pct) / (AIR_O2_PCT - REFERENCE_O2_PCT)
        spread = load_mw / CAPACITY_MW
        true = {
            "load": load_mw,
            "O2": o2_pct,
            "CO2": 100.0 * FACTOR_FC / _dry_gas_scf_per_mmbtu(o2_pct),
            "NOx": undiluted * (70.0 + 60.0 * spread) * (1.0 + 0.05 * self._noise("NOx", at_s)),
            "SO2": undiluted * 45.0 * (1.0 + 0.08 * self._noise("SO2", at_s)),
            "CO": undiluted
            * (15.0 + 80.0 * (1.0 - spread) ** 2)
            * (1.0 + 0.1 * self._noise("CO", at_s)),
            "flow": _flow_scfh(load_mw, o2_pct),
            "temperature": 105.0 + 35.0 * spread + self._noise("temperature", at_s),
            "opacity": 3.0 + 3.0 * spread + 0.3 * self._noise("opacity", at_s),
            "operating": 1.0,
        }
        if self.scenario is Scenario.EXCEEDANCE and self._since_s(at_ns) >= EXCEEDANCE_FROM_S:
            true["NOx"] *= EXCEEDANCE_FACTOR
            true["opacity"] += EXCEEDANCE_OPACITY_PCT
        return true

    def indicated(self, at_ns: int) -> Indication:
        """Return what the analyzers say: the truth, their noise, and what the scenario adds."""
        values = self.truth(at_ns)
        for parameter, deviation in READING_NOISE.items():
            values[parameter] += deviation * white(self.seed, f"reading of {parameter}", at_ns)
        has_failed = self._is_in(Scenario.FAILURE, at_ns, FAILURE_CYCLE_S, PUMP_STANDS_S)
        phase, gas = Phase.MEASURING, AIR if has_failed else {}
        if self._is_in(Scenario.DRIFT, at_ns, CHECK_CYCLE_S, ZERO_CHECK_S):
            phase, gas = Phase.ZERO_CHECK, ZERO_GAS
        elif self._is_in(Scenario.DRIFT, at_ns, CHECK_CYCLE_S, SPAN_CHECK_S):
            phase, gas = Phase.SPAN_CHECK, SPAN_GAS
        values.update(gas)
        for parameter in DRIFTING:
            values[parameter] *= 1.0 + self.drift(at_ns)
        return Indication(values=values, phase=phase, has_failed=has_failed)

    def drift(self, at_ns: int) -> float:
        """Return by which fraction of its value NOx and O2 are read too high."""
        is_drifting = self.scenario is Scenario.DRIFT
        return DRIFT_PER_S * max(0.0, self._since_s(at_ns)) if is_drifting else 0.0

    def checked_ns(self, at_ns: int) -> int | None:
        """Return when the last span check before a moment ended; None: there was none."""
        rounds = int((self._since_s(at_ns) - SPAN_CHECK_S[1]) // CHECK_CYCLE_S)
        if self.scenario is not Scenario.DRIFT or rounds < 0:
            return None
        return self.started_ns + round((rounds * CHECK_CYCLE_S + SPAN_CHECK_S[1]) * NS_PER_S)

    def span_reading(self, gas: str, at_ns: int) -> float:
        """Return what the last span check gave; before the first one, what it should give."""
        checked_ns = self.checked_ns(at_ns)
        has_drifted = checked_ns is not None and gas in DRIFTING
        return SPAN_GAS[gas] * (1.0 + (self.drift(checked_ns or 0) if has_drifted else 0.0))

    def is_silent(self, at_ns: int) -> bool:
        """Return whether the device gives no answer."""
        return self._is_in(Scenario.FAILURE, at_ns, FAILURE_CYCLE_S, SILENT_S)

    def average(self, parameter: str, from_ns: int, to_ns: int, *, step_s: int = 1) -> float:
        """Return the mean of a true value over [from_ns, to_ns), sampled each `step_s` seconds.

        Args:
            parameter: NOx, SO2, CO, O2, CO2, flow, temperature, opacity, load or operating.
            from_ns: UTC ns.
            to_ns: UTC ns, behind from_ns.
            step_s: the truth changes little within a minute, so that 10 is fine for an hour.

        """
        times = range(from_ns, to_ns, step_s * NS_PER_S)
        return sum(self.truth(at_ns)[parameter] for at_ns in times) / len(times)

    def _load_fraction(self, at_s: float) -> float:
        """Return the load as a fraction of capacity: least at 3, most at 15 o'clock UTC."""
        hour = at_s % 86_400.0 / 3_600.0
        curve = 0.72 + 0.2 * sin(2.0 * pi * (hour - 9.0) / 24.0)
        return min(1.0, max(0.35, curve + 0.02 * self._noise("load", at_s)))

    def _noise(self, name: str, at_s: float) -> float:
        return red(self.seed, name, at_s)

    def _since_s(self, at_ns: int) -> float:
        return (at_ns - self.started_ns) / NS_PER_S

    def _is_in(
        self, scenario: Scenario, at_ns: int, cycle_s: float, span_s: tuple[float, float]
    ) -> bool:
        """Return whether a recurring span of a scenario is on."""
        if self.scenario is not scenario or at_ns < self.started_ns:
            return False
        return span_s[0] <= self._since_s(at_ns) % cycle_s < span_s[1]


def _dry_gas_scf_per_mmbtu(o2_pct: float) -> float:
    """Return dry flue gas with its excess air (Method 19, the O2-based F factor, dry basis)."""
    return FACTOR_FD * AIR_O2_PCT / (AIR_O2_PCT - o2_pct)


def _flow_scfh(load_mw: float, o2_pct: float) -> float:
    """Return wet stack flow, scfh, from heat input and dilution."""
    heat_input_mmbtu_per_h = load_mw * HEAT_RATE_MMBTU_PER_MWH
    return heat_input_mmbtu_per_h * _dry_gas_scf_per_mmbtu(o2_pct) / (1.0 - MOISTURE_FRACTION)
