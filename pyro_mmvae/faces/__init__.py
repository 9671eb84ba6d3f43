"""Everything that knows of faces: CelebA's files, attributes, pictures derived from a picture, a synthetic set."""
