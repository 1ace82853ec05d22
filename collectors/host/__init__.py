"""Who uses the machine: users and processes."""
