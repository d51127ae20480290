"""Nothing to import: this distribution brings the command `leanspec-mcp`, and requires lean-spec."""
