"""HTTP and nothing else: parameters, preconditions, status codes."""
