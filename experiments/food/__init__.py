"""Ingredients from pictures of food, by variational alignment and by what it is compared with."""
