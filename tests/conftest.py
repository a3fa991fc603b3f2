"""Settings of all tests: no example has a deadline, because time is measured in benches only."""

from hypothesis import settings

settings.register_profile("no deadlines", deadline=None)
settings.load_profile("no deadlines")
