"""Public compliance suites, run against the gateway's frame code."""
