"""What a command does instead of starting its binary: answer in its place, or start another program."""
