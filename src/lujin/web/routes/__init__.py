"""The pages, one module per group."""
