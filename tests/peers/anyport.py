"""aiosmtpd on a free port of loopback, which leaves no connection behind when it stops."""

import asyncio
from typing import Any

from aiosmtpd.controller import Controller


class AnyPort(Controller):
    """A controller that finds a free port; ``port`` says which, once it has started."""

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, hostname="127.0.0.1", port=0, **options)

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def stop(self, no_assert: bool = False) -> None:
        """End, and end what is still connected: the program keeps a connection for a while, for the next mail.

        WORKAROUND: aiosmtpd stops the loop without closing the connections (https://github.com/aio-libs/aiosmtpd).
        """
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(10)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        assert self.server is not None
        self.server.close()
        transports: Any = self.loop._transports  # type: ignore[attr-defined]  # also those that greet nobody yet
        for _turn in range(5):
            for transport in list(transports.values()):
                transport.abort()
            await asyncio.sleep(0)
