"""The adapters that ship: for each its data, its recipe, its figures and its weights."""
