"""The carrier of the web UI: `pages/` next to this file holds its files in an installed wheel."""
