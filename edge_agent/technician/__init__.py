"""What a technician does beside the stack, read-only towards devices: looks, finds and writes down.

Decisions are pure and live in modules of their own; the commands of `edge_agent.cli` are thin
shells over them.
"""
