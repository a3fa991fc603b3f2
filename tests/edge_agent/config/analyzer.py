"""The files of an analyzer whose profile uses every key that a plan reads."""

from typing import Final

DEVICE: Final = """\
name = "analyzer"
profile = "example/analyzer"
endpoint = "tcp://[fe80::1]:1502"
unit_id = 7
period_s = 2
timeout_s = 0.5
word_order = "CDAB"
addressing = "modicon"

[[channels]]
number = 12
point = "wide"
name = "twelve"
facility = "annex"
limits = { high = 90.5, stuck_after_s = 600 }

[[channels]]
number = 11
point = "short"
name = "eleven"

[[channels]]
number = 13
point = "open"
name = "thirteen"
"""
PROFILE: Final = """\
id = "example/analyzer"
revision = "1"
vendor = "Example"
model = "Analyzer"
trust = "documented"

[[provenance]]
kind = "manual"
document = "none, this is a test"
pages = "none"

[modbus]
addressing = "unknown"
word_order = "unknown"
max_registers_per_read = 20
unreadable = [{ table = "holding", first = 40101, last = 40110 }]

[points.wide]
parameter = "SO2"
unit_of_measure = "ppm"
table = "holding"
address = 40001
raw_type = "uint32"
scale = 1e-3
offset = "-10"
resolution = "0.50"
low = "0"
high = "100"
status = "state"
page = "none"

[points.short]
parameter = "temperature"
unit_of_measure = "degC"
table = "input"
address = 300011
raw_type = "int16"
resolution = "1"
page = "none"

[points.open]
parameter = "operating"
unit_of_measure = ""
table = "discrete"
address = 10001
raw_type = "bool"
resolution = "1"
page = "none"

[status.state]
table = "holding"
address = 40003
page = "none"
bits = { 15 = { class = "failure", reasons = ["device_fault", "saturated"] } }
enum_first_bit = 4
enum_last_bit = 5
enum = { 0x1 = { class = "good" }, 0 = { class = "function_check", phase = "warm_up" } }
otherwise = { class = "maintenance_request", phase = "unknown" }
"""
