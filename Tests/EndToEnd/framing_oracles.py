"""How others split a stream of bytes into requests: llhttp (by httptools), h11, and aiohttp's parser in Python."""

import asyncio
import dataclasses
import re

import h11
import httptools
from aiohttp import http_parser


@dataclasses.dataclass(frozen=True)
class Reading:
    """The whole requests' ids, in order, and what came behind them."""

    ids: tuple
    refused: bool = False
    # The connection ends here, so the rest was not looked at.
    closed: bool = False


def request_id(fields):
    """The number in the one field X-Request-Id, as it was sent, of pairs of name and value; else None."""
    values = [value.strip(b" \t") for name, value in fields if name.lower() == b"x-request-id"]
    return values[0] if len(values) == 1 and re.fullmatch(rb"r\d+", values[0]) else None


class _Callbacks:
    def __init__(self):
        self.ids, self.fields = [], []

    def on_message_begin(self):
        self.fields = []

    def on_header(self, name, value):
        self.fields.append((name, value))

    def on_message_complete(self):
        self.ids.append(request_id(self.fields))


def llhttp(stream):
    callbacks = _Callbacks()
    parser = httptools.HttpRequestParser(callbacks)
    try:
        parser.feed_data(stream)
    except httptools.HttpParserUpgrade:
        return Reading(tuple(callbacks.ids), closed=True)
    except httptools.HttpParserError as error:
        closed = "after `Connection: close`" in str(error)
        return Reading(tuple(callbacks.ids), refused=not closed, closed=closed)
    return Reading(tuple(callbacks.ids))


def h11_(stream):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    connection.receive_data(stream)
    ids, fields = [], []
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return Reading(tuple(ids), refused=True)
        if isinstance(event, h11.Request):
            fields = event.headers
        elif isinstance(event, h11.EndOfMessage):
            ids.append(request_id(fields))
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                return Reading(tuple(ids), closed=True)
            connection.start_next_cycle()
        elif event is h11.NEED_DATA or event is h11.PAUSED:
            return Reading(tuple(ids))


class _Protocol(asyncio.Protocol):
    _reading_paused, connected = False, True

    def pause_reading(self):
        pass

    def resume_reading(self, resume_parser=True):
        pass


_loop = asyncio.new_event_loop()


def aiohttp_(stream):
    parser = http_parser.HttpRequestParserPy(_Protocol(), _loop, limit=1 << 20, auto_decompress=False)
    messages, refused = [], False
    for index in range(len(stream)):  # One call would lose the requests before a refused one.
        try:
            found, upgraded, _ = parser.feed_data(stream[index : index + 1])
        except Exception:  # Whatever it raises, it does not take the bytes.
            refused = True
            break
        messages += found
        if upgraded:
            break
    refused = refused or any(body.exception() is not None for _, body in messages)
    whole = [m for m, body in messages if body.is_eof() and body.exception() is None]
    closed = bool(whole) and whole[-1].should_close
    return Reading(tuple(request_id(m.raw_headers) for m in whole), refused and not closed, closed)


ORACLES = {"llhttp": llhttp, "h11": h11_, "aiohttp": aiohttp_}
