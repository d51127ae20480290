"""Building wheels from collected binaries, inspecting them, and rebuilding them to compare."""
