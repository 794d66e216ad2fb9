"""Pictures of what the tasks found, as PNG files."""
