"""The running node: the one place that builds objects across packages."""
