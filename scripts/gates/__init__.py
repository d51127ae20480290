"""What a release has to pass before its first file is uploaded."""
