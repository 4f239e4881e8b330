"""The image as it is built and run: needs root, buildah and crun."""
