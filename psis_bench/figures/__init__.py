"""Figures, one file each: a table that is already computed and matplotlib axes in, the same axes out.

No figure computes a statistic; what is drawn can be read off the table that was given.
"""
