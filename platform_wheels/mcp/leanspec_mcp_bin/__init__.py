"""The carrier of the program `leanspec-mcp`: `bin/` beside this file holds it in an installed wheel."""
