"""Tag policy: the machines that a wheel may be promised to, in a module per system."""
