"""What can be shown to a stranger: the launch contract, the cost of a start, a release rehearsed."""
