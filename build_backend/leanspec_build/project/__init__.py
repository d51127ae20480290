"""Readers of a project: `pyproject.toml`, and the config settings of one build."""
