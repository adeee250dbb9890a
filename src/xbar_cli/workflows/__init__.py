"""The commands as functions `run(config, out) -> summary`: the only place that composes the rooms."""
