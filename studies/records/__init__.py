"""What is kept of a study, and where: records, the database, locks, files."""
