"""What went wrong, and what helps: imported after a failure, and by the management commands."""
