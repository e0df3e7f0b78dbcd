"""Webhooks: what ended is told to other systems, signed, repeated until taken, and written down.

`collect` finds the ends in the rows, so nothing that a crawl forgets to say is lost; `deliver`
sends what is due. Both run from beat and are safe to run twice.
"""
