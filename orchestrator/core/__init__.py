"""The rules of a call, as pure functions of values.

Three functions hold all decisions: `transition(call, event) -> call`, `desired(call) -> Desired` and
`reconcile(call, now) -> Plan`. Nothing here does I/O, reads a clock, draws random numbers or logs, and nothing
here imports any other package of ours; import-linter keeps it so.

All times are integers: milliseconds since the epoch by Redis's clock, unless a name says `_s`.
"""
