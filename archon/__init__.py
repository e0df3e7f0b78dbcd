"""The composition root: wiring, and only what must know more than one app. Nothing imports it."""
