"""The close codes of our WebSockets, which docs/websocket.md explains, and the name of the direct way out.

No Django here: the web process reads this before its settings are loaded.
"""

from __future__ import annotations

CLOSE_FLOOD = 1008
CLOSE_ERROR = 1011
CLOSE_RESTART = 1012
# A client that takes nothing, and one socket more than a client may have.
CLOSE_OVERLOAD = 1013
CLOSE_NOT_SIGNED_IN = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_UNKNOWN_PATH = 4404

# In the scope of sockets that can be written to directly: archon/web.py offers it, consumers take it.
OUTLET_EXTENSION = "archon.outlet"
