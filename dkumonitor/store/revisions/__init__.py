"""The steps of the table of people."""
