"""Everything that knows of food: recipes, ingredient lines, vocabularies, synthetic plates, metrics and plots of them.

Nothing else in the library imports it.
"""
