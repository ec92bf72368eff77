"""How many cores a thread's tensor operations take."""

import threading

import torch

_one_at_a_time = threading.Lock()


def compute_alone() -> None:
    """From now on this thread, a new one, computes on one core; threads made later take as many as it would have.

    torch keeps the number per thread, and makes the last one set anywhere that of threads to come.
    """
    with _one_at_a_time:
        others = torch.get_num_threads()
        torch.set_num_threads(1)
        restoring = threading.Thread(target=torch.set_num_threads, args=(others,))  # leaves this one's alone
        restoring.start()
        restoring.join()
