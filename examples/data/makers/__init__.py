"""The generators of the example data, one module for each data set."""
