"""The launcher of LeanSpec's programs: finds the Rust binary, checks it, and becomes it."""
