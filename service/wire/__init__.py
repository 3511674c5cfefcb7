"""What clients send and receive: the one definition of each shape."""
