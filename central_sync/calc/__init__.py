"""The arithmetic of hourly values: arrays of integers in, arrays of integers out, exact.

Pure: no I/O, no clock, no floating point. docs/calculations.md rules it.
"""
