"""How pages are got: addresses, scope, politeness, fetching and extraction."""
