"""Long proofs, under load and with kills, as `make prove` runs them; `make test` runs short forms."""
