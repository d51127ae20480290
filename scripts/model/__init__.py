"""The facts of a release: programs, versions, the plan, the files. Nothing here changes anything."""
