"""Images of a user's own: files and their labels, pixels, and the features of a pretrained network."""

from semiad.images.collection import Images, read_images

__all__ = ["Images", "read_images"]
