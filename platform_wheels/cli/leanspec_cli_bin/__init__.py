"""The carrier of the program `leanspec`: `bin/` beside this file holds it in an installed wheel."""
