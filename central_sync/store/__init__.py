"""Where the centre keeps the record: one port, and adapters that only the app knows."""
