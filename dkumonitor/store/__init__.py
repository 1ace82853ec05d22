"""What is kept: the database, its schema, and the people in it. Imports nothing, so that looking in costs nothing."""
