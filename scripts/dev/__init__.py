"""For those who work on this project: the test suite, a demonstration, what the tests notice."""
