"""What a fault rule may name: the vendor's endpoints, its sockets, and the messages that it sends."""

from typing import Final

OPERATIONS: Final = frozenset(
    {
        "stream-url",
        "start-streaming",
        "stop-streaming",
        "messages",
        "health",
        "websocket",
        "websocket-start",
        "webhook",
        "listfeeds",
        "listfeedversions",
        "listfeedformats",
        "listfeeddates",
        "listfeedintervals",
        "listfeedfiles",
        "getfeedfile",
        "feed-download",
    }
)
