"""Windows: a parent process that waits, a command line as one text, a file's change time."""
