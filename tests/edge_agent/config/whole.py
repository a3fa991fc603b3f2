"""The file of a device of `example/whole`, whose profile uses every key there is for Modbus."""

from typing import Final

DEVICE: Final = """\
name = "analyzer"
profile = "example/whole"
endpoint = "serial:///dev/ttyS0"
serial = { baud = 9600, parity = "even" }

[[confirmations]]
what = "unit_of_measure"
who = "a technician"
at = "2026-11-20T10:12:00Z"
how = "the front panel shows ppm"

[[channels]]
number = 1
point = "so2"
name = "SO2"
span = 500
span_reference = "450.5"

[[channels]]
number = 2
point = "so2_zero"
name = "SO2 zero"

[[channels]]
number = 3
point = "component.4.value"
name = "NOx"
parameter = "NOx"
unit_of_measure = "mg/m3"
resolution = "0.25"
"""
