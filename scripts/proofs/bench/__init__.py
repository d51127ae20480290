"""What a start costs: ways to start one binary, side by side in one run."""
