"""The service as a server of the Model Context Protocol: operations as tools, state as resources."""
