"""The carrier of the program `leanspec-http`: `bin/` beside this file holds it in an installed wheel."""
