"""Past one machine: the same service on a cluster of PostgreSQL servers, joined by Citus."""
