"""Where binaries come from: npm packages, a cargo workspace, the artifacts of a CI run."""
