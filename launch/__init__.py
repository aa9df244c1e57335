"""What users type; the only rooms that read flags and print errors."""
