"""Everything that knows of hands: data sets, geometry, views, synthetic hands, metrics and plots of poses, the viewer.

Nothing else in the library imports it.
"""
