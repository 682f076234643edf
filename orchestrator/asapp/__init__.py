"""ASAPP: its words (`wire`, `answers`), its API (`client`) and the stream URL that all calls share (`stream_url`).

Nothing outside this package knows ASAPP's codes or field names; no exception of ASAPP's or of HTTP leaves it.
"""
