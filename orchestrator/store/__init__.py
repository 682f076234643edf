"""Redis holds the calls, the work queues and everything that processes share.

All classes take the client that `connect.connect` returns; only this package imports redis-py, and every failure of
Redis leaves it as `errors.StoreUnavailable`. Each operation is bounded in time (`connect`), each change that must be
whole is one Lua script (`scripts`), each key is named in `keys`.
"""
