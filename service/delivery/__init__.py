"""Sending webhooks: where to, signed how, when again."""
