"""Taking turns: few answers are worked out at the same time, in the order in which they were asked for.

Python runs one thread at a time. Twenty answers at once would each take twenty times as long and be ready
together; one after the other half of them are ready in half the time, and none later. What takes long does not
hold up the others: after a while its turn goes to the next, and the two go on side by side. Who sends a body, or
reads slowly what was answered, has no turn.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lujin.web.security import OPEN, READING

AT_ONCE = 2
LONGEST_S = 0.25


class Turns:
    """ASGI middleware around all that works answers out."""

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE, longest_s: float = LONGEST_S) -> None:
        self._app, self._longest_s = app, longest_s
        self._turns = asyncio.Semaphore(at_once)  # first come, first served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in READING or scope["path"].startswith(OPEN):
            await self._app(scope, receive, send)
            return
        await self._turns.acquire()
        over = False

        def give_back() -> None:
            nonlocal over
            if not over:
                over = True
                self._turns.release()

        async def sending(message: Message) -> None:
            give_back()  # it is worked out
            await send(message)

        timer = asyncio.get_running_loop().call_later(self._longest_s, give_back)
        try:
            await self._app(scope, receive, sending)
        finally:
            timer.cancel()
            give_back()
