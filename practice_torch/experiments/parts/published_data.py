"""Where the data of the recipes come from that reproduce published results, and the commands that prepare them."""

CELEBA = (
    "CelebA, aligned: 202,599 faces of 178 x 218 (Liu et al. 2015, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html), "
    "here squares of 178, many papers' are of 140 to 160"
)
PREPARE_CELEBA = "python -m practice_torch prepare images img_align_celeba --out celeba"
