"""Stop signals (Ctrl-C, kill, a closed terminal), counted instead of raised."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """A context in which stop signals are counted, in `count`.

    The first `patience` of them are only counted; the next raises KeyboardInterrupt. A signal that was ignored before
    (nohup, a job in the background) stays ignored. Python delivers signals to the main thread only, so elsewhere
    nothing is counted.
    """

    def __init__(self, *, patience: int) -> None:
        self.count = 0
        self._patience = patience
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > self._patience:
            raise KeyboardInterrupt
