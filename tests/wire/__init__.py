"""Tests of what clients send and receive."""
