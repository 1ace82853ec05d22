"""What is shown of disk use: rows and the queries that make them, one for page, CSV, API and command alike."""
