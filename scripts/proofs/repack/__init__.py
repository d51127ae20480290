"""Other projects' programs, packed by the backend, and the backend beside other tools."""
