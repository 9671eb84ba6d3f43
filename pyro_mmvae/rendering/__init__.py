"""Pictures of triangle meshes, for the synthetic sets of all wings."""
