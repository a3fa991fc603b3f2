"""Device profiles: TOML data about analyzers, with provenance; no code."""
