"""The workflow's own DINO: self-supervised pretraining of a vision transformer on the study's own images.

After Caron et al. 2021, "Emerging properties in self-supervised vision transformers", arXiv 2104.14294.
"""
