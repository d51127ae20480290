"""The cold side: what manages an installation. Every third-party import of the launcher is in here."""
