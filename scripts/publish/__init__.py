"""Publishing: bump the version, upload the files in order, verify them from the index."""
