"""A stack whose true values are known, and the analyzers beside it, served over real protocols.

For demonstrations and tests: the agent never imports it, and what it serves is marked as simulated
by the gateway that reads it.
"""
