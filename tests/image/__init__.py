"""Build the container image for real and run it, with neither an engine nor an image registry at hand.

`python -m tests.image`, as `make image-test` does, on Linux and as root. The base image that the Dockerfile
names is stood in for by a Debian of debootstrap's making: the same Debian and the same Python, but not the same
image. Everything else is as it will be.
"""
