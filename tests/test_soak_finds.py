"""What reading with suspicion and long random runs have found."""

from __future__ import annotations

import threading
import time

from interstate import SSHExecutor
from interstate.hosts import Host
from interstate.ssh.inbox import Inbox


def test_what_arrives_while_an_inbox_begins_to_be_pumped_waits_for_what_came_before() -> None:
    inbox, came = Inbox(), []
    inbox.feed(b"first")
    feeder = threading.Thread(target=inbox.feed, args=(b"second",))

    def receive(data: bytes) -> None:
        if data == b"first":
            feeder.start()
            feeder.join(0.3)  # it must not come through in that time, nor in any other
        came.append(data)
        if len(came) == 2:
            inbox.close()

    inbox.pump(receive)
    feeder.join()
    assert came == [b"first", b"second"]


def test_a_shutdown_waits_for_a_result_that_is_being_rebuilt(host: Host) -> None:
    def slow() -> object:
        class Slow:
            def __reduce__(self) -> tuple[object, tuple[float]]:
                return time.sleep, (1.0,)

        return Slow()

    with SSHExecutor([host], ssh_config=None) as executor:
        future = executor.submit(slow)
        while future.finished_at is None:  # it is rebuilt next
            time.sleep(0.001)
    assert future.done()
