"""The control plane's API, metrics and page."""
