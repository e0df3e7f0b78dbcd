"""`make bench-mcp`: what an assistant waits for."""
