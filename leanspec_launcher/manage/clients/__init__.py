"""MCP clients: what each is told to start, and in which of its files."""
