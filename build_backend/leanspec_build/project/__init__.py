"""What a project states: `pyproject.toml`, and the config settings of one build."""
