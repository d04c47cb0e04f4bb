"""Our scores beside those of the packages and papers that define them: problems, definitions, differences."""
