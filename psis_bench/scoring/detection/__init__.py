"""Detection AP: boxes and masks that a detector found, held against objects of the same class."""
