"""Answers that pages and API share."""
