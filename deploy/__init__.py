"""What an image of the service is made with, and what a cluster is told of it."""
