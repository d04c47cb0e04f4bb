"""``psis-bench plot``: from runs to the paper's figures and tables. One module each; what draws is in figures/."""
