"""OPC UA: the client's connection, the mapping of tags to nodes, and a server for any source."""
