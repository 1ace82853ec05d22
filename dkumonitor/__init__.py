"""The core that everything at run time shares; it imports nothing else of the house."""
