"""The steps of the tables of disk use."""
