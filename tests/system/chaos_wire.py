"""Lines that can be cut: between programs over TCP, and to MariaDB over its socket. One thread, one event
loop, for all of them. Held, a line keeps what is said in a direction; cut while it is held, that is
lost: a COMMIT that never arrives (up), or one whose answer is lost (down)."""
import asyncio
import contextlib
import os
import threading

from harness import free_port


class Lines:
    """Owns the loop and its thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.all = []

    def tcp(self, target_port):
        """A line to a port of this machine; its own is `port`."""
        port = free_port()
        return self._open(Line(self, lambda: asyncio.open_connection("127.0.0.1", target_port),
                               lambda serve: asyncio.start_server(serve, "127.0.0.1", port), port))

    def socket(self, target, path):
        """A line to a server's socket; its own is `path`."""
        return self._open(Line(self, lambda: asyncio.open_unix_connection(str(target)),
                               lambda serve: asyncio.start_unix_server(serve, str(path)), path))

    def _open(self, line):
        self.do(line.open())
        self.all.append(line)
        return line

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def close(self):
        for line in self.all:
            self.do(line.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


class Line:
    def __init__(self, lines, connect, listen, place):
        self.lines, self.connect, self.listen, self.port = lines, connect, listen, place
        self.writers = set()

    async def open(self):
        self.gates = {"up": asyncio.Event(), "down": asyncio.Event()}
        for gate in self.gates.values():
            gate.set()
        self.server = await self.listen(self._serve)

    async def close(self):
        self.server.close()
        await self._cut()
        if not isinstance(self.port, int):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.port)

    # --- from any thread ---

    def hold(self, way):
        self.lines.loop.call_soon_threadsafe(self.gates[way].clear)

    def release(self):
        for gate in self.gates.values():
            self.lines.loop.call_soon_threadsafe(gate.set)

    def cut(self):
        self.lines.do(self._cut())

    # --- in the loop ---

    async def _cut(self):
        for writer in list(self.writers):
            writer.transport.abort()
        self.writers.clear()

    async def _serve(self, near_reader, near_writer):
        try:
            far_reader, far_writer = await self.connect()
        except OSError:
            near_writer.transport.abort()
            return
        pair = {near_writer, far_writer}
        self.writers |= pair
        ways = [asyncio.ensure_future(self._copy(near_reader, far_writer, "up")),
                asyncio.ensure_future(self._copy(far_reader, near_writer, "down"))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for writer in pair:
            writer.close()  # after what was written
        self.writers -= pair

    async def _copy(self, reader, writer, way):
        try:
            while data := await reader.read(1 << 16):
                await self.gates[way].wait()
                if writer.transport.is_closing():
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
