"""One park's directory, opened."""
