"""For those who work on this project: the test suite, the demo, mutation tests."""
