"""The decoder on CUDA: resident forms, Triton kernels, and graphs of whole decode steps.

`policy`, `tuning` and `rows` are plain Python and numpy, and tested without a device. Everything that imports
Triton is imported only once a CUDA device is asked for.
"""
