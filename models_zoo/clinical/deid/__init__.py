"""De-identification of clinical notes: data, recipe and weights of the tagging adapter."""
