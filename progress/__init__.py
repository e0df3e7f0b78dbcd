"""What is happening now, for any long operation: state, numbered events, logs, sockets."""
