"""Pictures of disk use, laid out by the server: what a template needs to write them as SVG."""
