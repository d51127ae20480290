"""A release on its way: the version bumped, the files uploaded in their order, and verified from the index."""
