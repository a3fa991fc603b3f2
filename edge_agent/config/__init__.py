"""Configuration: TOML in, frozen dataclasses out, before any socket opens; all problems at once."""
