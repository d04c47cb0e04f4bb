"""The model zoo: which models there are, and weights that are found, downloaded and checked. Needs no torch.

An index in the conventions of OpenMMLab: ``model-index.yml`` lists one ``metafile.yml`` for each family of models.
"""
