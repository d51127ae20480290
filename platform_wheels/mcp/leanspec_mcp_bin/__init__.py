"""The carrier of the program `leanspec-mcp`: `bin/` next to this file holds it in an installed wheel."""
