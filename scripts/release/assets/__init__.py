"""From the artifacts of a CI run to what a GitHub release carries."""
