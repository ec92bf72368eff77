"""Where a training has its base from: on CUDA the memory of the worker that serves it, or else a copy of its own."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from models_zoo.llm.card import BaseCard, ModelError, read_card
from workers.offer import offers_in

if TYPE_CHECKING:
    from models_zoo.llm.decoder import Decoder

BASE_LOST = os.EX_UNAVAILABLE  # exit status of a training whose worker has ended
LOOK_S = 0.5
UNUSABLE = (ModelError, RuntimeError, OSError, ValueError)  # an offer that raises these
LAST_WORDS_S = 2.0  # between an error on memory that has gone and the end of the connection


class Base:
    """Called with a base's folder and a device, it gives the decoder, and tells where that is from.

    offers: the folder where workers of this host offer theirs; None: it is loaded here, as on a CPU, where both map
    the same file. wait_s: how long to look for an offer of this very base on this very device.
    tell: (whether the worker's memory is used, words for the job's log).
    """

    def __init__(self, offers: Path | None, wait_s: float, tell: Callable[[bool, str], None]) -> None:
        self._offers, self._wait_s, self._tell = offers, wait_s, tell
        self._lifeline: Lifeline | None = None

    def __call__(self, folder: Path, device: str) -> Decoder:
        """Raises `ModelError` like `load_decoder`, when a copy of its own cannot be had."""
        from models_zoo.llm.decoder import load_decoder

        if self._offers is None:
            return load_decoder(folder, device)
        found, why = self._offered(read_card(folder), device)
        if found is not None:
            return found
        decoder = load_decoder(folder, device)
        self._tell(False, f"Trains on a copy of its own of the base: {why}.")
        return decoder

    def let_go_first(self) -> None:
        """After an error: when the worker has ended, that was the reason, and this process ends as it should."""
        if self._lifeline is not None:
            time.sleep(LAST_WORDS_S)

    def _offered(self, card: BaseCard, device: str) -> tuple[Decoder | None, str]:
        """The base in a worker's memory; or why there is none."""
        assert self._offers is not None  # noqa: S101
        why = f"within {self._wait_s:.0f} s no worker offered one on this device"
        until = time.monotonic() + self._wait_s
        while True:
            try:
                for description, connection in offers_in(self._offers):
                    try:
                        return self._taken(description, connection, card, device), ""
                    except UNUSABLE as error:
                        connection.close()
                        why = f"that of the worker cannot be used ({_words(error)})"
            except OSError as error:  # the folder is not as a worker makes it: looking again changes nothing
                return None, f"the folder of workers' offers cannot be used ({_words(error)})"
            if time.monotonic() > until:
                return None, why
            time.sleep(LOOK_S)

    def _taken(
        self, description: dict[str, object], connection: socket.socket, card: BaseCard, device: str
    ) -> Decoder:
        import torch

        from models_zoo.llm.cuda.description import checked
        from models_zoo.llm.cuda.share import attach, device_uuid

        place = torch.device(device)
        shared = checked(description, card, device_uuid(place))
        lifeline = Lifeline(connection)
        try:
            decoder = attach(description, card, place)
        except UNUSABLE:
            lifeline.release()
            raise
        self._lifeline = lifeline
        self._tell(True, f"Trains on the weights that the worker holds on this device ({shared.words}).")
        return decoder


def _words(error: Exception) -> str:
    """What went wrong, for the job's log: without the paths that errors of files carry."""
    told = (error.strerror or "") if isinstance(error, OSError) else str(error).partition("\n")[0]
    return told[:200] or type(error).__name__


class Lifeline:
    """Ends this process, with status `BASE_LOST` and at once, when the worker at the other end is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._released = connection, False
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def release(self) -> None:
        """The worker may end: nothing of it is used."""
        self._released = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _watch(self) -> None:
        with suppress(OSError):
            self._connection.recv(1)  # a worker says no more than its description
        if not self._released:
            os._exit(BASE_LOST)  # not a step more on memory that is not ours any longer
