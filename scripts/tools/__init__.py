"""Tools that know nothing of a release: processes, the console, folders, git, locks."""
