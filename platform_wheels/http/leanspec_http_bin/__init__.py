"""The carrier of the program `leanspec-http`: `bin/` next to this file holds it in an installed wheel."""
