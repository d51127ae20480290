"""MCP clients: the command that each starts, and the file that names it."""
