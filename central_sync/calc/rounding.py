"""Exact means and their decimal text: one division, one rounding, half away from zero.

(docs/calculations.md section 3.)
"""

from decimal import Decimal
from fractions import Fraction


def common_resolution(resolutions: list[Fraction]) -> Fraction:
    """Return the largest number of which every resolution is a whole multiple; all are above 0."""
    common = resolutions[0]
    for resolution in resolutions[1:]:
        rest = resolution
        while rest:
            common, rest = rest, common % rest
    return common


def rounded_text(value: Fraction, quantum: Decimal) -> str:
    """Return a value as decimal text, rounded half away from zero to a multiple of `quantum`.

    The text has the decimals of the quantum: 102.5 for a quantum of 0.1, 1234000 for 1E+3.

    Raises:
        ValueError: the quantum is not above 0.

    """
    if not quantum > 0:
        raise ValueError(f"a quantum must be above 0, not {quantum}")
    steps = abs(value) / Fraction(quantum)
    count = (2 * steps.numerator + steps.denominator) // (2 * steps.denominator)
    _, digits, exponent = quantum.as_tuple()
    size = count * int("".join(map(str, digits)))
    # Built from its digits: Decimal arithmetic would round to the precision of its context.
    sign = int(value < 0 and size > 0)
    return format(Decimal((sign, tuple(map(int, str(size))), int(exponent))), "f")
