"""Updating this installation with the installer that made it."""
