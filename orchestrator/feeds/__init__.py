"""Server-sent events: who follows calls, and how they are told.

`hub.Hub`, one per process, reads the feed (`store.feed`) once and tells all its followers; one thread owns all their
sockets, so that an open stream costs no thread of the web server. `opening` brings a new or returning follower up to
date.
"""
