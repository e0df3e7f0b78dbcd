"""Realtime delivery measured side by side: Archon, the seed's manager, stock Channels, a raw broadcast."""
