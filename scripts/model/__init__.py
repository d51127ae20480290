"""The facts of a release: families, versions, the plan, the files. Nothing here changes anything."""
