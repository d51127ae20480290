"""What everything else is about: families, versions, a release's plan and its files. Nothing here acts."""
