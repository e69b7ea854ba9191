"""Recordings and workloads in, tables out: read, replay, conform."""
