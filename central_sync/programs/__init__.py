"""What regulations ask of an hour: rules as data and short functions over `central_sync.calc`.

Pure: signed readings, channel tables and a plan in, hourly values out (docs/calculations.md).
"""
