"""Adaptation jobs: each trains in a child process of its own, so that stopping it frees everything."""
