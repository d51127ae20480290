"""Installers: which one is in use, what it recorded, and its commands."""
