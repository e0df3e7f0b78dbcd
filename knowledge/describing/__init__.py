"""Titles and summaries of code examples by a language model, when one is configured; in the background, off the path
of pages. Without one they stay the page's own words."""
