"""Shows how the agent is doing: local HTTP, metrics and the service manager. It changes nothing."""
