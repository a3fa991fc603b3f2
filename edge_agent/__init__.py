"""The gateway beside the stack: reads analyzers, judges, signs, keeps and uploads readings."""
